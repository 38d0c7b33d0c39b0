"""Looking at a session from the host, and doing things in it as the person at its desktop."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.desktop import XvfbClient
from support.manager import Manager


def wait_for(holds: Callable[[], Any], what: str, timeout: float = 15.0) -> Any:
    """Wait until `holds` gives something true; give that."""
    deadline = time.monotonic() + timeout
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what} did not come within {timeout:g} s"
        time.sleep(0.02)
    return found


def root_of(status: dict[str, Any]) -> Path:
    """The session's own / as the host sees it."""
    return Path(f"/proc/{status['display']['ipc_pid']}/root")


def process(status: dict[str, Any], name: str) -> int:
    """The first of a session's processes that is called `name`."""
    for pid in status["pids"]:
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                return int(pid)
        except OSError:
            continue
    raise AssertionError(f"no {name} among {status['pids']}")


def log_in(manager: Manager, client: XvfbClient, server: dict[str, Any]) -> dict[str, Any]:
    """Connect and wait until the desktop is there and its shell takes what is typed."""
    manager.with_display(server["id"])
    manager.call("POST", f"/rdp/servers/{server['id']}/admit")
    client.start(server["host"], server["port"], server["username"], server["password"])
    manager.until(server["id"], client_connected=True)
    client.wait_for_pixels()
    status = manager.status(server["id"])
    wait_for(lambda: "bash" in names(manager.status(server["id"])["pids"]), "the shell")
    return status


def names(pids: list[int]) -> set[str]:
    """What the processes are called."""
    found = set()
    for pid in pids:
        try:
            found.add(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            continue
    return found


def run_as_person(client: XvfbClient, status: dict[str, Any], script: str) -> str:
    """Type the way to a shell script into the desktop's terminal; give what it wrote."""
    root = root_of(status)
    place = root / "tmp" / "task.sh"
    place.write_text(script)
    place.chmod(0o755)
    done = root / "tmp" / "task.done"
    client.move(400, 200)
    client.type_text("sh /tmp/task.sh >/tmp/task.out 2>&1; touch /tmp/task.done\n")
    wait_for(done.exists, "the end of what was typed", 30)
    text = (root / "tmp" / "task.out").read_text(errors="replace")
    for each in (place, done, root / "tmp" / "task.out"):
        each.unlink()
    return text


def namespaces(pid: int) -> set[str]:
    """The mount, PID and IPC namespaces of a process, such as `mnt:[4026532177]`."""
    return {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in ("mnt", "pid", "ipc")}


def inhabitants(wanted: set[str], uids: set[int]) -> list[int]:
    """Processes of this machine in one of those namespaces, or of one of those users."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid in uids or namespaces(int(entry.name)) & wanted:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def listens(port: int) -> bool:
    """Whether something listens on that TCP port."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)
