"""A running devnet for tests with real clients."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from npm_packages import ROOM, installed


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
