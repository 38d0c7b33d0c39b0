"""Bad days of real servers."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.manager import Manager
from support.session import inhabitants, listens, log_in, namespaces, process, wait_for

from demo.desktop import XvfbClient

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("victim", "program"),
    [("xrdp", "xrdp"), ("Xorg", "xorg"), ("openbox", "desktop"), ("python", "first process")],
)
def test_a_killed_program_ends_the_session_and_is_named(
    manager: Manager, client: XvfbClient, victim: str, program: str
) -> None:
    server = manager.create()
    status = log_in(manager, client, server)
    inside = namespaces(status["display"]["ipc_pid"]) - namespaces(os.getpid())
    status = manager.status(server["id"])
    pid = status["pids"][0] if victim == "python" else process(status, victim)

    os.kill(pid, signal.SIGKILL)

    ended = manager.until(server["id"], state=lambda state: state in ("failed", "stopped"))
    assert program in ended["reason"]
    assert ended["display"] is None
    assert ended["client_connected"] is False
    wait_for(lambda: not inhabitants(inside, {status["display"]["uid"]}), "the end of every process")
    assert client.wait_until_closed() != 0
    manager.delete(server["id"])


def test_leaving_the_desktop_stops_the_session(manager: Manager, client: XvfbClient) -> None:
    server = manager.create()
    log_in(manager, client, server)
    os.kill(process(manager.status(server["id"]), "openbox"), signal.SIGTERM)
    ended = manager.until(server["id"], state="stopped")
    assert ended["reason"] == "the desktop was left"
    manager.delete(server["id"])


def test_after_teardown_nothing_is_left(manager: Manager, client: XvfbClient) -> None:
    passwd = Path("/etc/passwd").read_bytes()
    descriptors = len(list(Path(f"/proc/{manager.pid}/fd").iterdir()))
    server = manager.create()
    status = log_in(manager, client, server)
    inside = namespaces(status["display"]["ipc_pid"]) - namespaces(os.getpid())
    shown = status["display"]["uid"]
    assert len(inside) == 3
    assert inhabitants(inside, set())

    manager.delete(server["id"])

    assert inhabitants(inside, {shown, shown + 1}) == []
    assert not listens(server["port"])
    assert f"xrdp_display_{status['display']['name'][1:]}\n" not in Path("/proc/net/unix").read_text()
    children = Path(f"/proc/{manager.pid}/task/{manager.pid}/children").read_text().split()
    assert len(children) <= 1, "the manager has children beside its spare starter, perhaps zombies"
    assert Path("/etc/passwd").read_bytes() == passwd
    assert not list((manager.data / "servers").iterdir())
    wait_for(
        lambda: len(list(Path(f"/proc/{manager.pid}/fd").iterdir())) <= descriptors, "the descriptors' end"
    )


def test_a_client_comes_back_to_the_same_desktop(manager: Manager, client: XvfbClient) -> None:
    server = manager.create()
    before = log_in(manager, client, server)
    shell = process(manager.status(server["id"]), "bash")
    client.disconnect()
    manager.until(server["id"], state="disconnected", client_connected=False)

    client.start(server["host"], server["port"], server["username"], server["password"])

    again = manager.until(server["id"], state="connected", client_connected=True)
    client.wait_for_pixels()
    assert again["display"] == before["display"]
    assert process(again, "bash") == shell
    assert again["logins"] == 2
    manager.delete(server["id"])


def test_a_second_client_with_the_password_takes_over(manager: Manager, client: XvfbClient) -> None:
    server = manager.create()
    log_in(manager, client, server)
    with XvfbClient() as other:
        other.start(server["host"], server["port"], server["username"], server["password"])
        manager.until(server["id"], logins=2)
        other.wait_for_pixels()
        client.wait_until_closed()
        now = manager.until(server["id"], state="connected", client_connected=True)
        assert now["admitted"]
    manager.delete(server["id"])


def test_a_wrong_password_is_refused_and_counted(manager: Manager, client: XvfbClient) -> None:
    server = manager.create()
    client.start(server["host"], server["port"], server["username"], "not the password")
    seen = manager.until(server["id"], refused_logins=1)
    assert "wrong password" in seen["reason"]
    assert seen["client_connected"] is False
    assert client.wait_until_closed() != 0
    manager.delete(server["id"])


def test_after_five_wrong_passwords_the_server_accepts_nobody(manager: Manager, client: XvfbClient) -> None:
    server = manager.create()
    for attempt in range(1, 6):
        client.start(server["host"], server["port"], server["username"], f"guess {attempt}")
        manager.until(server["id"], refused_logins=attempt)
        client.disconnect()
    ended = manager.until(server["id"], state="failed")
    assert "locked" in ended["reason"]
    wait_for(lambda: not listens(server["port"]), "the end of listening")
    manager.delete(server["id"])


def test_clients_that_say_nothing_neither_block_the_next_nor_stay(
    manager: Manager, client: XvfbClient
) -> None:
    server = manager.create()
    silent = [socket.create_connection((server["host"], server["port"])) for _ in range(6)]
    log_in(manager, client, server)
    for each in silent:
        each.settimeout(15)
        assert each.recv(1) == b"", "a silent client is sent away"
        each.close()
    assert manager.status(server["id"])["client_connected"] is True
    manager.delete(server["id"])


def test_a_gate_that_stays_closed_ends_the_session(tmp_path: Path, client: XvfbClient) -> None:
    with Manager(tmp_path / "data", gate_timeout=0.5, first_port=14300, last_port=14310) as manager:
        server = manager.create()
        client.start(server["host"], server["port"], server["username"], server["password"])
        ended = manager.until(server["id"], state="failed")
        assert "gate" in ended["reason"]


def test_a_taken_port_is_passed_over_and_an_exhausted_range_says_so(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 14320))
        other.listen()
        with Manager(tmp_path / "data", first_port=14320, last_port=14321) as manager:
            assert manager.create("ses_1")["port"] == 14321
            problem = manager.call("POST", "/rdp/servers", 429, json={"session": "ses_2"})
            assert problem["code"] == "LUCID_ERR_3741"


def test_what_a_killed_manager_left_is_cleared_and_reported(tmp_path: Path, client: XvfbClient) -> None:
    manager = Manager(tmp_path / "data", first_port=14330, last_port=14331).start()
    server = manager.create()
    status = log_in(manager, client, server)
    inside = namespaces(status["display"]["ipc_pid"]) - namespaces(os.getpid())
    manager.kill()
    wait_for(
        lambda: not inhabitants(inside, {status["display"]["uid"]}), "the session's end with its manager"
    )

    with manager:
        after = manager.status(server["id"])
        assert after["state"] == "failed"
        assert "manager ended" in after["reason"]
        assert after["revision"] > status["revision"]
        assert manager.create("ses_2")["port"] == 14331, (
            "the port stays with its server until that is deleted"
        )
        manager.delete(server["id"])


def test_a_first_process_that_hangs_is_ended_at_the_next_start(tmp_path: Path) -> None:
    manager = Manager(tmp_path / "data", first_port=14340, last_port=14341).start()
    server = manager.create()
    status = manager.with_display(server["id"])
    first = status["display"]["ipc_pid"]
    inside = namespaces(first) - namespaces(os.getpid())
    os.kill(first, signal.SIGSTOP)
    manager.kill()
    assert inhabitants(inside, set()), "a stopped process cannot see that its manager has gone"
    with manager:
        assert "processes were ended" in manager.status(server["id"])["reason"]
        wait_for(lambda: not inhabitants(inside, {status["display"]["uid"]}), "the end of what was left")


def test_two_managers_on_one_directory_the_second_names_the_first(manager: Manager) -> None:
    env = {**os.environ, "LUCID_RDP_DATA": str(manager.data)}
    argv = [sys.executable, "-m", "lucid.rdp"]
    second = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert str(manager.pid) in second.stderr


def test_a_stopped_server_starts_again_with_the_same_password(manager: Manager, client: XvfbClient) -> None:
    server = manager.create()
    stopped = manager.call("POST", f"/rdp/servers/{server['id']}/stop")
    assert stopped["state"] == "stopped"
    assert stopped["pids"] == []
    again = manager.call("POST", f"/rdp/servers/{server['id']}/start")
    assert again["state"] == "ready"
    assert again["revision"] > stopped["revision"]
    log_in(manager, client, server)
    manager.delete(server["id"])
