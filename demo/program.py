"""A program of Lucid's that runs in the foreground and says with one line of JSON that it is ready."""

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Program:
    """From ready to ended; use it as a context. What it says besides goes to `log`.

    Attributes
    ----------
    ready : dict
        What it said when it was.
    """

    def __init__(
        self, argv: Sequence[str], log: Path, environment: Mapping[str, str], *, ends_within_s: float
    ) -> None:
        self._argv = argv
        self._log = log
        self._environment = environment
        self._ends_within_s = ends_within_s

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=dict(self._environment),
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            ended = self._process.wait()
            raise RuntimeError(f"`{' '.join(self._argv)}` ended with {ended}; its log is {self._log}")
        self.ready: dict[str, Any] = json.loads(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """SIGTERM; its exit status. Stopping twice is harmless."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self._process.wait(timeout=self._ends_within_s)

    def wait(self) -> int:
        """Wait until it ends by itself; its exit status."""
        return self._process.wait()
