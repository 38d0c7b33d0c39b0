"""What the manager tells a session's first process: one JSON object, read from the control socket.

It holds no password. The certificate's key is in `files`: it travels over the socket, never over argv or
environment.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Account:
    """A user of the session's own /etc/passwd."""

    name: str
    uid: int
    home: str
    shell: str


@dataclass(frozen=True)
class File:
    """A file laid down before anything starts. `owner` is a uid; `bind_on` hides an existing file with it."""

    path: str
    text: str
    mode: int = 0o444
    owner: int = 0
    bind_on: str = ""


@dataclass(frozen=True)
class Program:
    """A program of the session: who runs it, with what limits, and whether it tells when it is ready."""

    name: str
    argv: list[str]
    uid: int
    env: dict[str, str]
    cwd: str = "/"
    capabilities: list[int] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)  # RLIMIT name without the prefix → value
    ready_argument: str = (
        ""  # this argument, followed by a descriptor's number, makes it write a line when ready
    )


@dataclass(frozen=True)
class Plan:
    """Everything a session is made of, apart from who may log in."""

    display: str
    masked: list[str]  # directories that must look empty
    tmpfs: dict[str, str]  # directory → mount options
    files: list[File]
    at_once: list[Program]
    after_gate: Program
    sink: str  # a Unix socket for what xrdp says of channels; without it xrdp waits 4 s at each login
    sink_owner: int
    cgroup: str = ""

    def to_json(self) -> bytes:
        """The plan as one line."""
        return json.dumps(asdict(self), separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Plan:
        """The plan of one line."""
        raw = json.loads(line)
        return cls(
            display=raw["display"],
            masked=raw["masked"],
            tmpfs=raw["tmpfs"],
            files=[File(**item) for item in raw["files"]],
            at_once=[Program(**item) for item in raw["at_once"]],
            after_gate=Program(**raw["after_gate"]),
            sink=raw["sink"],
            sink_owner=raw["sink_owner"],
            cgroup=raw["cgroup"],
        )
