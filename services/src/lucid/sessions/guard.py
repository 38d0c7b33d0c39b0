"""Tells the dead man's switch (`deadman`) which desktops are live, and starts it anew if it dies."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from lucid_kit.logs import get_logger

_PRIVATE = "LUCID_SESSIONS_"


class Guard:
    """One helper process for all sessions of this service.

    Parameters
    ----------
    rdp_url, token_file
        How the helper reaches the desktops' server.
    """

    def __init__(self, rdp_url: str, token_file: Path) -> None:
        self._arguments = [rdp_url, str(token_file)]
        self._live: dict[str, list[tuple[int, int]]] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def note(self, desktop: str, processes: list[tuple[int, int]]) -> None:
        """A desktop is live, with these processes (pid, start)."""
        if self._live.get(desktop) != processes:
            self._live[desktop] = processes
            self._tell(desktop)

    def drop(self, desktop: str) -> None:
        """A desktop has ended."""
        if self._live.pop(desktop, None) is not None:
            self._tell(desktop)

    def close(self) -> None:
        """The service ends in order; what is still live is cut."""
        if self._process is not None:
            self._hang_up(self._process)
            self._process = None

    def _tell(self, desktop: str) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(OSError):
                self._say(self._process, desktop)
                return
        if self._process is not None:
            get_logger().error("deadman.died", status=self._process.poll())
            self._hang_up(self._process)
        self._process = self._start()
        for each in self._live:
            self._say(self._process, each)

    def _say(self, process: subprocess.Popen[bytes], desktop: str) -> None:
        assert process.stdin is not None
        line = json.dumps({"desktop": desktop, "processes": self._live.get(desktop)})
        process.stdin.write(line.encode("ascii") + b"\n")

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own: what ends this service's process group must not end its guard.
        return subprocess.Popen(
            [sys.executable, "-m", "lucid.sessions.deadman", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)},
        )

    def _hang_up(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
