"""`lucid doctor`: what is missing on this machine, each with the command that mends it."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from lucid.cli.main import Context, command, main

APT = "sudo apt-get install -y --no-install-recommends"


_PROGRAMS = {"xrdp": "xrdp", "xkbcomp": "x11-xkb-utils", "openbox": "openbox", "xterm": "xterm"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `mend` is a command or an instruction, empty when all is well."""

    what: str
    well: bool
    detail: str
    mend: str = ""


@command(main, "doctor")
def doctor(context: Context) -> None:
    """Look at what this machine lacks to record desktops, and say the command that mends each.

    \b
    Example: lucid doctor
    """
    findings = list(examine(context.layout.data))
    document = {
        "well": all(finding.well for finding in findings),
        "findings": [{"what": f.what, "well": f.well, "detail": f.detail, "mend": f.mend} for f in findings],
    }
    context.out.table(
        document,
        ("", "what", "found", "mend with"),
        [("ok" if f.well else "MISSING", f.what, f.detail, f.mend) for f in findings],
        empty="",
    )
    if not document["well"]:
        raise click.exceptions.Exit(1)


def examine(data: Path) -> Iterator[Finding]:
    """Everything `lucid up` needs, in the order a person would mend it."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "Python",
        sys.version_info >= (3, 11),
        version,
        "" if sys.version_info >= (3, 11) else f"{APT} python3.11",
    )
    root = os.geteuid() == 0
    yield Finding(
        "root",
        root,
        "yes" if root else f"uid {os.geteuid()}",
        "" if root else "run it as root or with sudo: desktops get users and namespaces of their own",
    )
    for program, package in _PROGRAMS.items():
        yield _program(program, package)
    yield _file("Xorg server", Path("/usr/lib/xorg/Xorg"), "xserver-xorg-core")
    yield _file("Xorg module of xrdp", Path("/usr/lib/xorg/modules/drivers/xrdpdev_drv.so"), "xorgxrdp")
    yield _namespaces()
    yield _space(data)
    yield _ports()


def _program(name: str, package: str) -> Finding:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return Finding(name, found is not None, found or "not found", "" if found else f"{APT} {package}")


def _file(what: str, path: Path, package: str) -> Finding:
    return Finding(
        what,
        path.exists(),
        str(path) if path.exists() else "not found",
        "" if path.exists() else f"{APT} {package}",
    )


def _namespaces() -> Finding:
    kinds = [kind for kind in ("mnt", "pid", "ipc") if not Path(f"/proc/self/ns/{kind}").exists()]
    detail = "mount, pid, ipc" if not kinds else f"the kernel lacks {', '.join(kinds)}"
    return Finding(
        "namespaces",
        not kinds,
        detail,
        "" if not kinds else "use a kernel with namespaces (any Debian kernel)",
    )


def _space(data: Path) -> Finding:
    place = next(path for path in (data, *data.parents) if path.exists())
    free = shutil.disk_usage(place).free
    well = free >= 2_000_000_000
    return Finding(
        "disk space",
        well,
        f"{free / 1e9:.1f} GB free at {place}",
        "" if well else "free at least 2 GB, or use another --data directory",
    )


def _ports() -> Finding:
    free = sum(map(_is_free, range(13389, 14390, 100)))
    well = free > 0
    return Finding(
        "RDP ports 13389–14389",
        well,
        f"{free} of 11 sampled are free",
        "" if well else "end what listens there: ss -ltnp 'sport >= 13389 and sport <= 14389'",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
