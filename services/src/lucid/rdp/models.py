"""Servers and what they can be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self


class State(StrEnum):
    """Where a server is.

    | state        | meaning                                                         |
    |--------------|-----------------------------------------------------------------|
    | starting     | its processes come up                                           |
    | ready        | a TLS handshake succeeded; nobody has logged in                 |
    | connecting   | someone gave the right password; the picture is being set up    |
    | connected    | a client sees the display (black until admitted)                |
    | disconnected | the last client has gone; programs run on                       |
    | stopped      | ended on purpose: asked for, or the desktop was left            |
    | failed       | ended by a fault; `reason` says which                           |
    """

    STARTING = "starting"
    READY = "ready"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def live(self) -> bool:
        """Whether the server's processes are there."""
        return self not in (State.STOPPED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Display:
    """A session's X display, as root on the host reaches it.

    Attributes
    ----------
    name
        `:13389` and the like; only its own session knows it by that name.
    socket
        Path of the Unix socket, through /proc/<pid>/root.
    xauthority
        Path of the file with its cookie.
    ipc_pid
        A process whose IPC namespace is the session's (for MIT-SHM).
    uid
        Who the X server runs as. It may attach any segment of its namespace (CAP_IPC_OWNER).
    """

    name: str
    socket: str
    xauthority: str
    ipc_pid: int
    uid: int


@dataclass(frozen=True, slots=True)
class Server:
    """What is known of one server; every change gives a new one with the next revision."""

    id: str
    session: str
    host: str
    port: int
    username: str
    width: int
    height: int
    gated: bool
    created_ms: int
    fingerprint: str = ""  # SHA-256 of the certificate, hexadecimal
    state: State = State.STARTING
    reason: str = ""
    revision: int = 1
    display: Display | None = None
    admitted: bool = False
    client_connected: bool = False
    logins: int = 0
    refused_logins: int = 0
    pid: int | None = None  # the session's first process, as the host sees it

    def changed(self, **changes: Any) -> Self:
        """The server with `changes`, one revision on."""
        return replace(self, revision=self.revision + 1, **changes)


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of this machine, never mistaken for a later one with the same number."""

    pid: int
    started: int  # clock ticks since boot, proc_pid_stat(5) field 22
    boot: str  # /proc/sys/kernel/random/boot_id


@dataclass(frozen=True, slots=True)
class Record:
    """What is durable of a server: enough to start it again, and to clear away what a dead manager left."""

    server: Server
    secret: str  # salted hash of the one-time password
    process: Identity | None = None
    cgroup: str = ""
    key: str = ""  # the Idempotency-Key it was made with
