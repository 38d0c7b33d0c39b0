"""A session's own view of the file system: what it may see, and what it must not.

The host's tree stays visible read-only and without setuid, devices or Lucid's data; everything the session
writes lies on size-limited tmpfs that goes with the mount namespace.
"""

import os
import stat
from pathlib import Path

from lucid.rdp.inside import linux
from lucid.rdp.inside.plan import Plan

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_FLAGS = {
    "ro": linux.MS_RDONLY,
    "nosuid": linux.MS_NOSUID,
    "nodev": linux.MS_NODEV,
    "noexec": linux.MS_NOEXEC,
}


def furnish(plan: Plan) -> None:
    """Build the session's tree in this process's mount namespace, which must be new.

    Raises
    ------
    OSError
        If a mount is refused; nothing of it is visible outside the namespace.
    """
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    harden()
    devices()
    for target, options in plan.tmpfs.items():
        if Path(target).is_dir():
            linux.mount("tmpfs", target, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    for target in plan.masked:
        hide(target)
    for file in plan.files:
        lay(file.path, file.text, file.mode, file.owner)
        if file.bind_on and Path(file.bind_on).exists():
            linux.mount(file.path, file.bind_on, flags=linux.MS_BIND)
    # Only the session's processes are to be seen, and of those each user sees only their own.
    linux.mount(
        "proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC, "hidepid=invisible"
    )


def hide(path: str) -> None:
    """Make a directory look empty, and a file too; what does not exist needs no hiding."""
    if Path(path).is_dir():
        flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_RDONLY
        linux.mount("tmpfs", path, "tmpfs", flags, "size=4k,mode=000")
    elif Path(path).exists():
        linux.mount("/dev/null", path, flags=linux.MS_BIND)


def harden() -> None:
    """Make every mount the session inherits read-only and without setuid programs."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        target = fields[4].encode().decode("unicode_escape")  # proc(5): blanks as \\040
        kept = sum(_FLAGS.get(option, 0) for option in fields[5].split(","))
        flags = linux.MS_REMOUNT | linux.MS_BIND | kept | linux.MS_RDONLY | linux.MS_NOSUID
        try:
            linux.mount("none", target, flags=flags)
        except OSError:
            # A mount hidden under another cannot be reached by its path, nor by the session.
            if target == "/":
                raise


def devices() -> None:
    """A /dev with the harmless devices and terminals of its own."""
    kept = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES}
    linux.mount("tmpfs", "/dev", "tmpfs", linux.MS_NOSUID, "size=64k,mode=755")
    for name, descriptor in kept.items():
        Path(f"/dev/{name}").touch()
        linux.mount(f"/proc/self/fd/{descriptor}", f"/dev/{name}", flags=linux.MS_BIND)
        os.close(descriptor)
    Path("/dev/pts").mkdir()
    options = "newinstance,ptmxmode=0666,mode=0620"
    linux.mount("devpts", "/dev/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, options)
    for name, where in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0"}.items():
        Path(f"/dev/{name}").symlink_to(where)
    for name, number in {"stdout": 1, "stderr": 2}.items():
        Path(f"/dev/{name}").symlink_to(f"/proc/self/fd/{number}")
    Path("/dev/shm").mkdir()  # noqa: S108 — the session's own


def lay(path: str, text: str, mode: int, owner: int) -> None:
    """Write a file, or make a directory if `mode` is a directory's, with its owner and mode."""
    place = Path(path)
    if stat.S_ISDIR(mode):
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(text.encode("latin-1"))
    os.chown(path, owner, owner)
    os.chmod(path, stat.S_IMODE(mode))  # noqa: PTH101 — also sticky bits, which mkdir drops
