"""A running devnet for tests with real clients, and npm packages installed once for each lock file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

ROOM = Path(__file__).parents[2]
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


@pytest.fixture(scope="session")
def tronweb_directory() -> Path:
    return installed(ROOM / "tests" / "peers", "tronweb")


@pytest.fixture(scope="module")
def devnet() -> Iterator[dict[str, Any]]:
    """A devnet that seals every transaction at once, with irreversible heads."""
    options = ["--port", "0", "--json", "--block-time", "0", "--solid-lag", "0", "--unfreeze-delay", "30"]
    command = [sys.executable, "-m", "lucid_tron.devnet", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()
        process.wait(20)
