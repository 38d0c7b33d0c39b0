"""How the tests of this directory start an instance, and what they record with it."""

import os
from dataclasses import dataclass
from pathlib import Path

from demo.instance import Instance

SIZE = (1024, 640)
QUICK = {"LUCID_SESSIONS_LINGER_S": "1", "LUCID_SESSIONS_INTERIM_S": "5", "LUCID_SESSIONS_CHUNK_MS": "2000"}
"""Settings under which a short test sees several chunks and interim records."""

TITLE = "a-title-nobody-may-read-7f3a9"


def start(directory: Path, *options: str, **more: str) -> Instance:
    """An instance on `directory/data` that logs beside it; use it as a context. `options` go to `up`."""
    return Instance(directory / "data", directory / "up.log", {**os.environ, **QUICK, **more}, *options)


@dataclass(frozen=True)
class Recorded:
    """A session that was worked in, closed, anchored and exported."""

    id: str
    bundle: Path
    trust: Path
    title: str
    pixels: bytes
    receipt: Path
