"""PID 1 of a session: one small loop over the control socket, its children's ends and their readiness."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
from typing import Any

from lucid.rdp.inside import linux, rooms
from lucid.rdp.inside.children import Children, tail
from lucid.rdp.inside.plan import Plan, Program

# What this process itself may still do once the session's tree stands.
_KEPT = frozenset({linux.CAP_KILL, linux.CAP_SETGID, linux.CAP_SETUID, linux.CAP_IPC_OWNER})


def tell(control: socket.socket, message: dict[str, Any]) -> None:
    """Send one message to the manager, as a line of JSON."""
    control.sendall(json.dumps(message).encode() + b"\n")


def run(plan: Plan, control: socket.socket) -> None:  # pragma: no cover — PID 1 of another namespace
    """Be the session's first process; never returns. Whatever goes wrong is told before everything ends."""
    try:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        rooms.furnish(plan)
        sink = listen(plan.sink, plan.sink_owner)
        linux.bound_capabilities(frozenset({linux.CAP_IPC_OWNER}))
        linux.set_capabilities(_KEPT)
        linux.forbid_new_privileges()
        Init(plan, control, sink).loop()
    except BaseException as error:  # noqa: BLE001 — the manager is the only one who can report it
        with contextlib.suppress(OSError):
            tell(control, {"is": "refused", "detail": f"{type(error).__name__}: {error}"})
    os._exit(0)


def listen(path: str, owner: int) -> socket.socket:
    """A Unix socket that `owner` may connect to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chown(path, owner, owner)
    listener.listen()
    return listener


class Init:  # pragma: no cover — PID 1 of another namespace, exercised by the real tests
    """The loop. Messages from the manager: {"do": "admit"} and {"do": "end", "program": name}."""

    def __init__(self, plan: Plan, control: socket.socket, sink: socket.socket) -> None:
        self._plan = plan
        self._control = control
        self._sink = sink
        self._children = Children()
        self._poll = selectors.DefaultSelector()
        self._admitted = False
        self._rest = b""

    def loop(self) -> None:
        """Serve until the manager closes the socket."""
        ended, end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(ended, selectors.EVENT_READ, "child")
        self._poll.register(self._control, selectors.EVENT_READ, "control")
        self._poll.register(self._sink, selectors.EVENT_READ, "sink")
        for program in self._plan.at_once:
            self._start(program)
        while True:
            for key, _ in self._poll.select():
                if key.data == "child":
                    os.read(ended, 4096)
                    self._children.reap(self._report)
                elif key.data == "control":
                    if not self._obey():
                        return
                elif key.data == "sink":
                    self._poll.register(self._sink.accept()[0], selectors.EVENT_READ, "drain")
                elif key.data == "drain":
                    self._drain(key.fileobj)
                else:
                    self._ready(key.fd, key.data)

    def _start(self, program: Program) -> None:
        told = self._children.start(program)
        if told is not None:
            self._poll.register(told, selectors.EVENT_READ, program.name)

    def _ready(self, told: int, name: str) -> None:
        if b"\n" in os.read(told, 64):
            tell(self._control, {"is": "ready", "program": name})
        else:
            # An unfinished line: the X server writes it in two parts and ends if the second is not taken.
            return
        self._poll.unregister(told)
        os.close(told)

    def _drain(self, connection: Any) -> None:
        try:
            said = connection.recv(65536)
        except OSError:
            said = b""
        if not said:
            self._poll.unregister(connection)
            connection.close()

    def _report(self, name: str, how: str) -> None:
        tell(self._control, {"is": "ended", "program": name, "how": how, "log": tail(name)})

    def _obey(self) -> bool:
        received = self._control.recv(4096)
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["do"] == "admit" and not self._admitted:
                self._admitted = True
                self._start(self._plan.after_gate)
        return bool(received)
