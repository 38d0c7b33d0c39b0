"""The few Linux calls a session's first process needs and Python does not offer. Standard library only.

Every function raises OSError with the call's name when the kernel refuses.
Sources: unshare(2), mount(2), prctl(2), capabilities(7), mknod(2).
"""

import ctypes
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

CAP_KILL = 5
CAP_SETGID = 6
CAP_SETUID = 7
CAP_IPC_OWNER = 15
CAP_LAST = 40

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)][:4]
    _checked(_libc.prctl(option, *padded), f"prctl {option}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags`; a new PID namespace begins with the next child."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2); `kind` is the type of file system, empty for bind mounts and changes of flags."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _checked(result, f"mount {kind or 'bind'} on {target}")


def become_subreaper() -> None:
    """Adopt orphaned grandchildren, so that their end can be waited for."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for `signal_number` when the thread that started this process ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def forbid_new_privileges() -> None:
    """From now on no execve gives this process or its children more rights."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def bound_capabilities(keep: frozenset[int]) -> None:
    """Drop every capability but `keep` from the bounding set: no child can ever have another."""
    for capability in range(CAP_LAST + 1):
        if capability not in keep:
            _prctl(_PR_CAPBSET_DROP, capability)


def set_capabilities(permitted: frozenset[int], inheritable: frozenset[int] = frozenset()) -> None:
    """Make `permitted` this process's permitted and effective capabilities."""
    held = sum(1 << capability for capability in permitted)
    given = sum(1 << capability for capability in inheritable)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = 0xFFFFFFFF, 32
    data = struct.pack("=6I", held & low, held & low, given & low, held >> high, held >> high, given >> high)
    _checked(_libc.capset(header, data), "capset")


def become(uid: int, gid: int, ambient: frozenset[int] = frozenset()) -> None:
    """Become an ordinary user for good, keeping only the capabilities in `ambient` (usually none)."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    if ambient:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setresuid(uid, uid, uid)
    if ambient:
        set_capabilities(ambient, ambient)
        for capability in ambient:
            _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)
    forbid_new_privileges()
