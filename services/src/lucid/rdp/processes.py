"""What /proc says about a session's processes and sockets. Every function takes what is gone as gone."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lucid.rdp.models import Identity

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a session uses: CPU time in seconds since its start, resident memory in bytes, processes."""

    cpu_seconds: float
    rss_bytes: int
    processes: int


def boot_id() -> str:
    """Which boot of the machine this is: process ids mean nothing across boots."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """The process with that id now; None if there is none."""
    fields = _stat(pid)
    return Identity(pid, int(fields[19]), boot_id()) if fields else None


def open_process(identity: Identity) -> int | None:
    """A pidfd of exactly that process; None when it has gone, even if its number lives on."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return None
    # Only after the descriptor is held does the comparison hold too: the number cannot be reused any more.
    if identify(identity.pid) == identity:
        return descriptor
    os.close(descriptor)
    return None


def kill(descriptor: int) -> None:
    """SIGKILL through a pidfd; nothing happens when it has ended already."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    return [pid, *(each for child in children(pid) for each in tree(child))] if _stat(pid) else []


def name(pid: int) -> str:
    """A process's short name; empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def usage(pid: int) -> Usage:
    """What a process and its descendants use. CPU time of those that ended is kept by whoever reaped them."""
    ticks = pages = count = 0
    for each in tree(pid):
        fields = _stat(each)
        if fields and fields[0] != "Z":
            ticks += sum(int(field) for field in fields[11:15])
            pages += int(fields[21])
            count += 1
    return Usage(ticks / _TICKS, pages * _PAGE, count)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on (state); the second may hold blanks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class TcpPeer:
    """The other end of a loopback connection: who owns the socket, and its inode."""

    uid: int
    inode: int


_LOOPBACK = {"tcp": "0100007F", "tcp6": "0000000000000000FFFF00000100007F"}


def tcp_owner(local_port: int, remote_port: int) -> TcpPeer | None:
    """Who owns the socket of this machine that goes from `local_port` to `remote_port`, both on 127.0.0.1.

    xrdp reaches IPv4 through IPv6 sockets (::ffff:127.0.0.1), so both tables are read.
    """
    for table, loopback in _LOOPBACK.items():
        wanted = f"{loopback}:{local_port:04X}", f"{loopback}:{remote_port:04X}"
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if (fields[1], fields[2]) == wanted:
                return TcpPeer(int(fields[7]), int(fields[9]))
    return None


def holder(inode: int, among: list[int]) -> int | None:
    """Which of the processes `among` has the socket with that inode open."""
    return next((pid for pid in among if any(each == inode for each in _sockets(pid))), None)


def _sockets(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                link = str(entry.readlink())
                if link.startswith("socket:["):
                    yield int(link[8:-1])


def connections(path: str) -> int:
    """How many clients the Unix socket bound at `path` has.

    /proc/net/unix names a listener's path with each connection too: state 02 before it is accepted, 03 after.
    """
    lines = Path("/proc/self/net/unix").read_text().splitlines()[1:]
    return sum(1 for line in lines if line.endswith(f" {path}") and line.split()[5] in ("02", "03"))


async def ended(descriptor: int) -> None:
    """Wait until the process of a pidfd has ended; closes the descriptor."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
