"""What keeps the key and the pixels in this process's memory, and everyone else out of it."""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def harden() -> None:
    """No core dumps, no ptrace or /proc/…/mem by other users' processes, files for the owner alone.

    Raises
    ------
    OSError
        If the kernel refuses; then nothing secret may be read.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
