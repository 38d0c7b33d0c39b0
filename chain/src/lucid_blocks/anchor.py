"""The newest checkpoint this process ever signed and let anyone see: `anchor/checkpoint`.

It is the one thing that must never be restored from a backup. A database can be: then the anchor knows a
checkpoint that the database does not, and the chain refuses to start instead of signing a second history.
That is also why the anchor is made by `init` and by nothing else: a wrong directory cannot quietly start a
second log. Put it on another disk by making `anchor` a mount or a symbolic link.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lucid_blocks.faults import AnchorMissing, ForkDanger
from lucid_kit.files import make_dirs, sweep_temporaries, write_atomic

CHECKPOINT: Final = "checkpoint"


class Anchor:
    """One durable checkpoint that is replaced by compare-and-swap. One process at a time (the data lock
    sees to it)."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / CHECKPOINT

    def create(self, checkpoint: bytes) -> None:
        """Store the first checkpoint; durable once it returns. Only for `init`."""
        make_dirs(self._path.parent)
        write_atomic(self._path, checkpoint)

    def tidy(self) -> None:
        """Remove what an interrupted write left beside the checkpoint."""
        if self._path.parent.is_dir():
            sweep_temporaries(self._path.parent)

    def load(self) -> bytes:
        """The newest checkpoint, exactly as it was signed.

        Raises
        ------
        AnchorMissing
            If there is none.
        """
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            raise AnchorMissing(f"{self._path} does not exist.", path=self._path) from None

    def replace(self, old: bytes, new: bytes) -> None:
        """Store `new` if the anchor is still `old`; durable once it returns.

        Raises
        ------
        ForkDanger
            If it is not: someone else signs for this log, or the file was put back.
        OSError
            If the disk refuses; then the anchor is still `old`.
        """
        if self.load() != old:
            raise ForkDanger(
                f"{self._path} was changed by someone else while this process ran.", path=self._path
            )
        write_atomic(self._path, new)
