"""The log as static files, `tlog/` in the data directory: c2sp.org/tlog-tiles, for any web server or `rsync`.

The files follow from the database and hold nothing that it does not. Tiles are written before the
checkpoint that needs them, and both after the checkpoint is anchored; whatever a crash left out is written
at the next start.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from lucid_blocks.faults import ForkDanger
from lucid_kit import fault
from lucid_kit.files import make_dirs, sweep_temporaries, write_atomic
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.errors import ProofError
from lucid_proof.note import Note
from lucid_proof.tiles import WIDTH, Tile, encode_entries, entries_path, tiles_between

_READABLE: Final = 0o644


class Source(Protocol):
    """Where tiles come from: see `lucid_blocks.store.Store`."""

    def hashes(self, level: int, start: int, end: int) -> list[bytes]: ...

    def leaves(self, start: int, end: int) -> list[bytes]: ...


def tile_bytes(source: Source, tile: Tile) -> bytes:
    """A tile: its hashes of 32 bytes, one after the other."""
    first = tile.index * WIDTH
    return b"".join(source.hashes(tile.level, first, first + tile.width))


def bundle_bytes(source: Source, index: int, width: int = WIDTH) -> bytes:
    """The entries of a tile of level 0, each after its length."""
    return encode_entries(source.leaves(index * WIDTH, index * WIDTH + width))


def resources(source: Source, old: int, new: int) -> Iterator[tuple[str, bytes]]:
    """Path and content of all that a log of `new` leaves has and one of `old` had not; a bundle before its
    tile."""
    for tile in tiles_between(old, new):
        if tile.level == 0:
            yield entries_path(tile.index, tile.width), bundle_bytes(source, tile.index, tile.width)
        yield tile.path(), tile_bytes(source, tile)


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
                f"{path} covers {left.size} leaves and the database only {size}.",
                published=left.size,
                stored=size,
            )
        self._size = 0 if left is None else left.size
        self._tidy(size)
        if left is None or path.read_bytes() != checkpoint:
            self.publish(checkpoint)

    def _tidy(self, size: int) -> None:
        """Remove what an interrupted `publish` left beside the tiles it was writing."""
        for tile in tiles_between(self._size, size):
            for name in (tile.path(), entries_path(tile.index, tile.width)):
                if (self._directory / name).parent.is_dir():
                    sweep_temporaries((self._directory / name).parent)

    def publish(self, checkpoint: bytes) -> None:
        """Write the tiles that this checkpoint needs, then the checkpoint; durable once it returns.

        Raises
        ------
        OSError
            If the disk refuses; then the earlier checkpoint stands, and calling again mends it.
        """
        size = Checkpoint.parse(Note.parse(checkpoint).text).size
        for name, data in resources(self._source, self._size, size):
            path = self._directory / name
            make_dirs(path.parent, 0o755)
            write_atomic(path, data, _READABLE)
            # A full tile serves whoever looks for a part of it (c2sp.org/tlog-tiles § Partial Tiles).
            shutil.rmtree(path.with_name(path.name + ".p"), ignore_errors=True)
        # Ends here: tiles that no published checkpoint needs; the next start writes them again, the same.
        fault.point("chain-tiles-written")
        write_atomic(self._directory / "checkpoint", checkpoint, _READABLE)
        self._size = size
        # Ends here: everything of this block is done; the next start has nothing to mend.
        fault.point("chain-checkpoint-published")
