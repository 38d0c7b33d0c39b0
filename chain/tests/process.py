"""The chain as its operator runs it: a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

COMMAND = [sys.executable, "-m", "lucid_blocks.cli"]
PATIENCE_S = 30.0


def command(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
    """`lucid-blocks …`, to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


class ChainProcess:
    """A running `lucid-blocks run --json`."""

    def __init__(self, directory: Path, **env: str) -> None:
        self.log = directory.parent / "chain.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "run", "--data", str(directory), "--json"],
                env={**os.environ, **env},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.ready: dict[str, Any] = json.loads(line) if line else {}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.ready["url"], timeout=PATIENCE_S)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running(directory: Path, **env: str) -> Iterator[ChainProcess]:
    process = ChainProcess(directory, **env)
    try:
        yield process
    finally:
        process.end()


def until(holds: Callable[[], Any]) -> Any:
    """Wait until `holds()` is true; gives what it gave."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if value := holds():
            return value
        time.sleep(0.01)
    raise AssertionError("it did not come to hold in time")
