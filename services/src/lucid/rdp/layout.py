"""A session's programs, files and mounts, as the plan its first process carries out.

Three users: root is only the first process, *display* runs xrdp and the X server, *person* runs the
desktop. So the person can neither trace nor stop what shows and records the screen. Traps of xrdp that
shaped this: it reads the session manager's port from /etc/xrdp/sesman.ini whatever it is told, and waits in
steps of half a second for an X server that is not there yet, so the X server is started beforehand.
"""

from __future__ import annotations

import secrets
import shutil
import stat
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from lucid.rdp.certificates import Certificate
from lucid.rdp.errors import ProgramsMissing
from lucid.rdp.inside.linux import CAP_IPC_OWNER
from lucid.rdp.inside.plan import Account, File, Plan, Program
from lucid.rdp.settings import RdpSettings

RUN = "/run/lucid"
XAUTHORITY = f"{RUN}/xauthority"
SOCKETS = "/run/xrdp/sockdir"  # compiled into xrdp; xorgxrdp takes it from XRDP_SOCKET_PATH
XORG = "/usr/lib/xorg/Xorg"  # the X server itself: /usr/bin/Xorg may be a setuid wrapper
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_DIRECTORY = stat.S_IFDIR
_NEEDED = {
    "xrdp": ("/usr/sbin/xrdp", "xrdp"),
    "Xorg": (XORG, "xserver-xorg-core"),
    "xorgxrdp": ("/usr/lib/xorg/modules/libxorgxrdp.so", "xorgxrdp"),
    "xkbcomp": ("/usr/bin/xkbcomp", "x11-xkb-utils"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session lives: everything follows from its port."""

    port: int
    display: int
    display_uid: int
    person_uid: int

    @classmethod
    def of(cls, port: int, settings: RdpSettings) -> Place:
        """The place of `port`."""
        # A port is one session's on all of the machine; so are its users and its display, whoever manages it.
        uid = settings.first_uid + 2 * port
        return cls(port, port, uid, uid + 1)

    @property
    def connection_socket(self) -> str:
        """Where xrdp connects to the X server, as both see it."""
        return f"{SOCKETS}/xrdp_display_{self.display}"


def check_programs(settings: RdpSettings) -> None:
    """Raise ProgramsMissing, with the command that installs them, unless all programs are there."""
    missing = {what: package for what, (path, package) in _NEEDED.items() if not Path(path).exists()}
    command = settings.desktop_command[0]
    if shutil.which(command, path=_PATH) is None:
        missing[command] = Path(command).name
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise ProgramsMissing(
            f"{', '.join(sorted(missing))} not found; apt-get install {packages}", missing=sorted(missing)
        )


def plan(
    place: Place,
    username: str,
    size: tuple[int, int],
    sesman_port: int,
    tls: Certificate,
    settings: RdpSettings,
    cgroup: str,
) -> Plan:
    """The plan of one session; `size` is width and height in pixels."""
    person = Account(username, place.person_uid, f"/home/{username}", "/bin/bash")
    limits = {"NPROC": settings.processes, "NOFILE": settings.open_files, "CORE": 0}
    if not cgroup:
        limits["DATA"] = settings.memory_bytes
    return Plan(
        display=f":{place.display}",
        masked=[str(path.absolute()) for path in (settings.data, *settings.masked)],
        tmpfs=_tmpfs(settings),
        files=_files(place, person, sesman_port, tls, settings.host),
        at_once=[_xorg(place, size), _xrdp(place)],
        after_gate=Program(
            "desktop",
            settings.desktop_command,
            person.uid,
            _environment(place, person),
            person.home,
            limits=limits,
        ),
        sink=f"{SOCKETS}/xrdp_chansrv_socket_{place.display}",
        sink_owner=place.display_uid,
        cgroup=cgroup,
    )


def _tmpfs(settings: RdpSettings) -> dict[str, str]:
    return {
        "/run": "size=16m,mode=755",
        "/tmp": f"size={settings.temporary_bytes},mode=1777",  # noqa: S108 — the session's own
        "/var/tmp": "size=16m,mode=1777",  # noqa: S108
        "/dev/shm": f"size={settings.temporary_bytes},mode=1777",  # noqa: S108
        "/home": f"size={settings.home_bytes},mode=755",
        "/root": "size=4k,mode=700",
        "/mnt": "size=4k,mode=755",
        "/media": "size=4k,mode=755",
        "/srv": "size=4k,mode=755",
        "/var/log": "size=4k,mode=755",
        "/sys/fs/cgroup": "size=4k,mode=755",
    }


def _files(place: Place, person: Account, sesman_port: int, tls: Certificate, host: str) -> list[File]:
    shown = place.display_uid
    cookie = xauthority(place.display, secrets.token_bytes(16))
    accounts = [
        Account("root", 0, "/root", "/usr/sbin/nologin"),
        Account("display", shown, RUN, "/usr/sbin/nologin"),
        person,
    ]
    passwd = "".join(f"{a.name}:x:{a.uid}:{a.uid}::{a.home}:{a.shell}\n" for a in accounts)
    group = "".join(f"{a.name}:x:{a.uid}:\n" for a in accounts)
    return [
        File(RUN, "", _DIRECTORY | 0o755),
        File(f"{RUN}/log", "", _DIRECTORY | 0o700),
        File(f"{RUN}/x", "", _DIRECTORY | 0o700, shown),
        File("/run/xrdp", "", _DIRECTORY | 0o700, shown),
        File(SOCKETS, "", _DIRECTORY | 0o700, shown),
        File("/tmp/.X11-unix", "", _DIRECTORY | 0o1777),  # noqa: S108
        File("/tmp/.ICE-unix", "", _DIRECTORY | 0o1777),  # noqa: S108
        File("/run/user", "", _DIRECTORY | 0o755),
        File(f"/run/user/{person.uid}", "", _DIRECTORY | 0o700, person.uid),
        File(person.home, "", _DIRECTORY | 0o700, person.uid),
        File(f"{person.home}/.Xauthority", cookie, 0o600, person.uid),
        File(XAUTHORITY, cookie, 0o400, shown),
        File(f"{RUN}/tls.crt", tls.certificate, 0o400, shown),
        File(f"{RUN}/tls.key", tls.key, 0o400, shown),
        File(f"{RUN}/xrdp.ini", xrdp_ini(place.port, host), 0o444),
        File(f"{RUN}/xorg.conf", xorg_conf(), 0o444),
        File(
            f"{RUN}/sesman.ini",
            f"[Globals]\nListenPort={sesman_port}\n",
            0o444,
            bind_on="/etc/xrdp/sesman.ini",
        ),
        File(f"{RUN}/passwd", passwd, bind_on="/etc/passwd"),
        File(f"{RUN}/group", group, bind_on="/etc/group"),
        File(f"{RUN}/shadow", "", 0o400, bind_on="/etc/shadow"),
        File(f"{RUN}/gshadow", "", 0o400, bind_on="/etc/gshadow"),
    ]


def _xorg(place: Place, size: tuple[int, int]) -> Program:
    argv = [
        XORG,
        f":{place.display}",
        "-config",
        f"{RUN}/xorg.conf",
        "-auth",
        XAUTHORITY,
        "-noreset",
        "-nolisten",
        "tcp",
    ]
    # "local" is the abstract socket: it would be seen from every session, as they share the network.
    argv += ["-nolisten", "local", "-logfile", f"{RUN}/x/xorg.log", "-br", "-dpi", "96"]
    env = {
        "PATH": _PATH,
        "HOME": f"{RUN}/x",
        "XRDP_SOCKET_PATH": SOCKETS,
        "XRDP_START_WIDTH": str(size[0]),
        "XRDP_START_HEIGHT": str(size[1]),
    }
    # CAP_IPC_OWNER reaches no further than the session's own IPC namespace: the X server attaches shared
    # memory of the person's programs and of the recorder, as one that ran as root would.
    return Program(
        "xorg", argv, place.display_uid, env, capabilities=[CAP_IPC_OWNER], ready_argument="-displayfd"
    )


def _xrdp(place: Place) -> Program:
    argv = ["/usr/sbin/xrdp", "--nodaemon", "--config", f"{RUN}/xrdp.ini"]
    return Program("xrdp", argv, place.display_uid, {"PATH": _PATH, "HOME": f"{RUN}/x"})


def _environment(place: Place, person: Account) -> dict[str, str]:
    return {
        "PATH": _PATH,
        "HOME": person.home,
        "USER": person.name,
        "LOGNAME": person.name,
        "SHELL": person.shell,
        "LANG": "C.UTF-8",
        "DISPLAY": f":{place.display}",
        "XAUTHORITY": f"{person.home}/.Xauthority",
        "XDG_RUNTIME_DIR": f"/run/user/{person.uid}",
        "XDG_SESSION_TYPE": "x11",
    }


def xauthority(display: int, cookie: bytes) -> str:
    """An Xauthority file (as latin-1 text) for that display on any host (FamilyWild, Xau(3))."""

    def counted(data: bytes) -> bytes:
        return struct.pack(">H", len(data)) + data

    family_wild = b"\xff\xff"
    entry = (
        family_wild
        + counted(b"")
        + counted(str(display).encode())
        + counted(b"MIT-MAGIC-COOKIE-1")
        + counted(cookie)
    )
    return entry.decode("latin-1")


def xrdp_ini(port: int, host: str) -> str:
    """xrdp.ini(5): TLS only, straight to the X server, and nothing that the recording would not show.

    Clients want channels to be there (FreeRDP ends the connection otherwise), so they are; each of them is
    closed.
    """
    return f"""[Globals]
ini_version=1
fork=true
port=tcp://{host}:{port}
tcp_nodelay=true
tcp_keepalive=true
security_layer=tls
certificate={RUN}/tls.crt
key_file={RUN}/tls.key
ssl_protocols=TLSv1.2, TLSv1.3
autorun=Xorg
require_credentials=true
hidelogwindow=true
allow_channels=true
bitmap_cache=true
bitmap_compression=true
bulk_compression=true
max_bpp=32
new_cursors=true
use_fastpath=both

[Logging]
LogFile={RUN}/x/xrdp.log
LogLevel=INFO
EnableSyslog=false

[Channels]
rdpdr=false
rdpsnd=false
drdynvc=false
cliprdr=false
rail=false
xrdpvr=false
tcutils=false

[Xorg]
name=Xorg
lib=libxup.so
username=ask
password=ask
ip=127.0.0.1
port=-1
code=20
"""


def xorg_conf() -> str:
    """xorg.conf(5) for xorgxrdp: only the modules it needs, so that it starts in tenths of a second.

    xorgxrdp insists on a mode of 800x600; the size comes from XRDP_START_WIDTH and …HEIGHT, later from the
    client.
    """
    return """Section "ServerLayout"
    Identifier "X11 Server"
    Screen "Screen (xrdpdev)"
    InputDevice "xrdpMouse" "CorePointer"
    InputDevice "xrdpKeyboard" "CoreKeyboard"
EndSection
Section "ServerFlags"
    Option "DefaultServerLayout" "X11 Server"
    Option "DontVTSwitch" "on"
    Option "AutoAddDevices" "off"
    Option "AutoAddGPU" "off"
EndSection
Section "Module"
    Disable "glx"
    Load "glamoregl"
    Load "fb"
    Load "xorgxrdp"
EndSection
Section "InputDevice"
    Identifier "xrdpKeyboard"
    Driver "xrdpkeyb"
EndSection
Section "InputDevice"
    Identifier "xrdpMouse"
    Driver "xrdpmouse"
EndSection
Section "Monitor"
    Identifier "Monitor"
    HorizSync 30-80
    VertRefresh 60-75
EndSection
Section "Device"
    Identifier "Video Card (xrdpdev)"
    Driver "xrdpdev"
EndSection
Section "Screen"
    Identifier "Screen (xrdpdev)"
    Device "Video Card (xrdpdev)"
    Monitor "Monitor"
    DefaultDepth 24
    SubSection "Display"
        Depth 24
        Modes "800x600"
    EndSubSection
EndSection
"""


def interpreter() -> list[str]:
    """The command that starts a session's first process, but for its control descriptor."""
    return [sys.executable, "-I", "-m", "lucid.rdp.inside"]
