"""Which servers there are, durable: a small file each.

These are facts of this machine (ports, process ids), needed to clear up even when no database answers.
"""

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lucid.rdp.models import Identity, Record, Server, State
from lucid_kit import files
from lucid_kit.errors import SystemFault


class RecordUnreadable(SystemFault):
    """A server's record cannot be read."""

    code = "LUCID_ERR_5744"
    advice = (
        "Move the file that is named aside; the server it speaks of can then not be cleared up by itself."
    )


class RecordStore:
    """One file a server in `folder`; one manager a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder, closed to everyone else; sweep what an interrupted write left."""
        files.make_dirs(self._folder)
        files.sweep_temporaries(self._folder)

    def load(self) -> list[Record]:
        """All records.

        Raises
        ------
        RecordUnreadable
            If a file is not a record. Writes are atomic, so someone else wrote it.
        """
        return [_read(path) for path in sorted(self._folder.glob("srv_*.json"))]

    async def save(self, record: Record) -> None:
        """Store a record in place of the former one; durable once it returns."""
        data = json.dumps(asdict(record), indent=1).encode() + b"\n"
        await asyncio.to_thread(files.write_atomic, self._path(record.server.id), data)

    async def remove(self, server_id: str) -> None:
        """Forget a server; durable once it returns."""

        def remove() -> None:
            self._path(server_id).unlink(missing_ok=True)
            files.fsync_dir(self._folder)

        await asyncio.to_thread(remove)

    def _path(self, server_id: str) -> Path:
        return self._folder / f"{server_id}.json"


def _read(path: Path) -> Record:
    try:
        raw: dict[str, Any] = json.loads(path.read_bytes())
        server = Server(**{**raw["server"], "display": None})
        process = raw["process"] and Identity(**raw["process"])
        server = replace(server, state=State(server.state))
        return Record(server, raw["secret"], process, raw["cgroup"], raw["key"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RecordUnreadable(f"{path} is not a server's record: {error}", path=path) from error
