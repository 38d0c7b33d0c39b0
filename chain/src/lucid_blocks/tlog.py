"""The log as static files, `tlog/` in the data directory: c2sp.org/tlog-tiles, for any web server or `rsync`.

The files follow from the database and hold nothing that it does not. Tiles are written before the checkpoint that
needs them, and both after the checkpoint is anchored; whatever a crash left out is written at the next start.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from lucid_blocks.faults import ForkDanger
from lucid_blocks.tree import TILE, tile_widths
from lucid_kit import fault
from lucid_kit.files import make_dirs, sweep_temporaries, write_atomic
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.errors import ProofError
from lucid_proof.note import Note

_READABLE: Final = 0o644
ENTRIES: Final = "entries"


class Source(Protocol):
    """Where tiles come from: see `lucid_blocks.store.Store`."""

    def hashes(self, level: int, start: int, end: int) -> list[bytes]: ...

    def leaves(self, start: int, end: int) -> list[bytes]: ...


def tile_path(level: int | str, index: int, width: int = TILE) -> str:
    """The path of a tile below the log's prefix, such as `tile/0/x001/067.p/8`; `level` may be "entries"."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03d}")
    return f"tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < TILE else "")


def tile(source: Source, level: int, index: int, width: int = TILE) -> bytes:
    """The bytes of a tile: `width` hashes of 32 bytes."""
    return b"".join(source.hashes(level, index * TILE, index * TILE + width))


def bundle(source: Source, index: int, width: int = TILE) -> bytes:
    """The bytes of an entry bundle: each leaf after its length as 2 bytes, big-endian."""
    leaves = source.leaves(index * TILE, index * TILE + width)
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def resources(old: int, new: int) -> Iterator[tuple[int | str, int, int]]:
    """Every tile and bundle (level, index, width) that a log of `new` leaves has and one of `old` had not."""
    level = 0
    while new >> (8 * level):
        full, partial = tile_widths(level, new)
        first, _ = tile_widths(level, old)
        for index in range(first, full + (partial > 0)):
            width = TILE if index < full else partial
            if level == 0:
                yield ENTRIES, index, width
            yield level, index, width
        level += 1


class Publisher:
    """Writes the files. One at a time."""

    def __init__(self, directory: Path, source: Source) -> None:
        self._directory = directory
        self._source = source
        self._size = 0

    def recover(self, checkpoint: bytes) -> None:
        """Bring the files to this checkpoint from whatever an earlier process left.

        Raises
        ------
        ForkDanger
            If a larger log was published from this directory already.
        """
        make_dirs(self._directory, 0o755)
        sweep_temporaries(self._directory)
        path = self._directory / "checkpoint"
        try:
            left = Checkpoint.parse(Note.parse(path.read_bytes()).text)
        except (FileNotFoundError, ProofError):
            left = None  # never published, or damaged: everything is written again
        size = Checkpoint.parse(Note.parse(checkpoint).text).size
        if left is not None and left.size > size:
            raise ForkDanger(
                f"{path} covers {left.size} leaves and the database only {size}.", published=left.size, stored=size
            )
        self._size = 0 if left is None else left.size
        if left is None or path.read_bytes() != checkpoint:
            self.publish(checkpoint)

    def publish(self, checkpoint: bytes) -> None:
        """Write the tiles that this checkpoint needs, then the checkpoint; durable once it returns.

        Raises
        ------
        OSError
            If the disk refuses; then the earlier checkpoint stands, and calling again mends it.
        """
        size = Checkpoint.parse(Note.parse(checkpoint).text).size
        for level, index, width in resources(self._size, size):
            path = self._directory / tile_path(level, index, width)
            make_dirs(path.parent, 0o755)
            if isinstance(level, int):
                write_atomic(path, tile(self._source, level, index, width), _READABLE)
            else:
                write_atomic(path, bundle(self._source, index, width), _READABLE)
            if width == TILE:
                shutil.rmtree(path.with_name(path.name + ".p"), ignore_errors=True)
        # Ends here: tiles that no published checkpoint needs; the next start writes them again, the same.
        fault.point("chain-tiles-written")
        write_atomic(self._directory / "checkpoint", checkpoint, _READABLE)
        self._size = size
        # Ends here: everything of this block is done; the next start has nothing to mend.
        fault.point("chain-checkpoint-published")
