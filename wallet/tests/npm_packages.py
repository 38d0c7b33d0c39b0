"""npm packages for tests, installed once for each lock file."""

from __future__ import annotations

import shutil
import subprocess
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path

ROOM = Path(__file__).parents[1]
CACHE = ROOM.parent / ".cache"


def installed(source: Path, name: str) -> Path:
    """Install a package-lock.json into the cache, once, and return the directory."""
    lock = source / "package-lock.json"
    where = CACHE / f"{name}-{sha256(lock.read_bytes()).hexdigest()[:16]}"
    where.mkdir(parents=True, exist_ok=True)
    with (where / "installing").open("w") as held:
        flock(held, LOCK_EX)
        if not (where / "installed").exists():
            for each in ("package.json", "package-lock.json"):
                shutil.copy(source / each, where)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL)
            (where / "installed").touch()
    return where
