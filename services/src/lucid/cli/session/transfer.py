"""Brings a bundle from the instance to a file: only the bytes that are not there yet.

Chunks come first in a bundle and never change, so those of an earlier export begin the newer one. What is
fetched stands beside the file until it was judged: then it takes the file's place, or the file stays.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lucid.cli.client import Api
from lucid.cli.output import Output
from lucid_kit.errors import Unavailable
from lucid_kit.files import fsync_dir, write_atomic
from lucid_proof.errors import ProofError
from lucid_proof.reader import BundleReader


class Transfer:
    """The bundle of one session on its way to `target`.

    Attributes
    ----------
    kept, fetched : int
        Bytes that were there already, and bytes that came.
    """

    def __init__(self, api: Api, out: Output, session_id: str, target: Path) -> None:
        self._api = api
        self._out = out
        self._path = f"/sessions/{session_id}/proof"
        self._target = target
        self._tag = target.with_name(target.name + ".etag")
        self.part = target.with_name(target.name + ".part")
        self.kept = self.fetched = 0

    def fetch(self) -> None:
        """Bring the bundle to `part`.

        A broken transfer goes on where it stopped if the bundle is still the same one (same ETag); else the
        chunks of an earlier export at `target` are taken from there. Whether they are this session's, and
        unaltered, is found out when the whole is judged: then it is `fetch_whole` that helps.
        """
        if not (self.part.exists() and self._tag.exists()):
            self._copy_chunks()
        self._go_on()

    def fetch_whole(self) -> None:
        """Bring the bundle to `part` and use nothing of what is there."""
        self.part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)
        self._go_on()

    def settle(self, at: Path) -> None:
        """Let what was fetched stand at `at`, in place of what is there."""
        self.part.rename(at)
        fsync_dir(at.absolute().parent)
        self._tag.unlink(missing_ok=True)

    def _copy_chunks(self) -> None:
        """Begin `part` with the chunks of the bundle at `target`, if there is one."""
        self.part.unlink(missing_ok=True)
        try:
            with BundleReader(self._target) as earlier:
                end = max((member.end for _, member in earlier.chunks()), default=0)
        except ProofError:
            return
        shutil.copyfile(self._target, self.part)
        os.truncate(self.part, end)

    def _go_on(self) -> None:
        """Fetch what `part` lacks; if the transfer breaks, go on for as long as anything comes.

        An instance that finds a chunk damaged in mid-transfer can only break off; asked again from there, it
        says so.
        """
        self.kept, self.fetched = self._size(), 0
        while True:
            before = self._size()
            try:
                self._receive(before)
            except Unavailable:
                if self._size() <= before:
                    raise
            else:
                return

    def _receive(self, start: int) -> None:
        headers = {"Range": f"bytes={start}-"} if start else {}
        if self._tag.exists():
            headers["If-Range"] = self._tag.read_text("ascii").strip()
        with self._api.stream(self._path, headers=headers) as answer:
            if answer.status_code == 416:
                self.fetch_whole()
                return
            if answer.status_code != 206:
                start = self.kept = 0
            write_atomic(self._tag, answer.headers.get("ETag", "").encode("ascii"), 0o600)
            self._write(start, answer.iter_bytes(), start + int(answer.headers["Content-Length"]))

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _write(self, at: int, blocks: Iterator[bytes], total: int) -> None:
        with (
            self.part.open("r+b" if at else "wb") as file,
            self._out.transfer("exporting", total) as advance,
        ):
            file.truncate(at)
            file.seek(at)
            for block in blocks:
                file.write(block)
                self.fetched += len(block)
                advance(file.tell())
            file.flush()
            os.fsync(file.fileno())
