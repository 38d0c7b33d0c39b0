"""Processes that may have to be ended after their starter is gone: named by pid and start time, never by pid
alone.
"""

import contextlib
import os
import select
import signal
from collections.abc import Iterable


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot (proc(5), field 22 of stat); 0 if there is none.

    With the pid it names one process: a pid that was used again has another start.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - procfs, read at once
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def end(pid: int, ticks: int, *, wait_s: float = 5.0) -> bool:
    """Kill the process that has this pid and start, and wait until it is gone; whether there was one.

    Blocks for up to `wait_s` seconds.
    """
    if pid <= 1 or ticks == 0 or start_ticks(pid) != ticks:
        return False
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            # Between the look at its start and the open it may have ended and another taken its number.
            if start_ticks(pid) != ticks:
                return False
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            select.select([fd], [], [], wait_s)
        finally:
            os.close(fd)
    return True


def end_all(processes: Iterable[tuple[int, int]]) -> int:
    """Kill every process of (pid, start) that still runs; how many there were."""
    return sum(end(pid, ticks) for pid, ticks in processes)
