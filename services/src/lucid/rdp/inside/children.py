"""Starting and reaping the programs of a session, as its first process does it."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

from lucid.rdp.inside import linux
from lucid.rdp.inside.plan import Program

LOGS = "/run/lucid/log"
_TAIL = 2000  # bytes of a program's log that explain its end


class Children:
    """The programs this process started, by pid."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def pid(self, name: str) -> int | None:
        """The pid of a running program, as seen inside."""
        return next((pid for pid, each in self._names.items() if each == name), None)

    def start(self, program: Program) -> int | None:
        """Start `program`; return the descriptor on which it will say that it is ready, if it can."""
        told, tell = os.pipe2(os.O_CLOEXEC) if program.ready_argument else (None, None)
        pid = os.fork()
        if pid == 0:  # pragma: no cover — this branch becomes another program
            _become(program, tell)
        if tell is not None:
            os.close(tell)
        self._names[pid] = program.name
        return told

    def reap(self, ended: Callable[[str, str], None]) -> None:
        """Reap everyone who ended; `ended(name, how)` is called for the programs started here."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._names.pop(pid, None)
            if name is not None:
                ended(name, describe(os.waitstatus_to_exitcode(status)))


def describe(code: int) -> str:
    """How a process ended, in words.

    >>> describe(-9), describe(1)
    ('killed by SIGKILL', 'exit status 1')
    """
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def tail(name: str, folder: str = LOGS) -> str:
    """The end of a program's log; empty when it wrote none."""
    try:
        with Path(folder, f"{name}.log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _become(program: Program, tell: int | None) -> None:  # pragma: no cover — runs between fork and exec
    """Turn this process into `program`; never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for handled in (signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(handled, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.setsid()
        silence = os.open("/dev/null", os.O_RDONLY)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        log = os.open(f"{LOGS}/{program.name}.log", flags, 0o600)
        for number, source in ((0, silence), (1, log), (2, log)):
            os.dup2(source, number)
        argv = list(program.argv)
        if tell is not None:
            os.set_inheritable(tell, True)
            argv += [program.ready_argument, str(tell)]
        for limit, value in program.limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{limit}"), (value, value))
        linux.become(program.uid, program.uid, frozenset(program.capabilities))
        os.chdir(program.cwd)
        os.umask(0o077)
        os.execvpe(argv[0], argv, program.env)  # noqa: S606
    except BaseException as error:  # noqa: BLE001 — whatever it was, the log says so and the process ends
        os.write(2, f"{program.argv[0]} could not be started: {error}\n".encode())
    os._exit(127)
