"""Keeping a process's memory to itself."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

_PR_SET_DUMPABLE = 4  # prctl(2)


def protect_process() -> None:
    """No core dumps, and no other process of this user may read our memory or attach a debugger.

    Call it before the first secret is read.

    Raises
    ------
    OSError
        If the system refuses; a service that holds keys must not start then.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
