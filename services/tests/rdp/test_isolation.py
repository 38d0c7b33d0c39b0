"""What the person at a desktop can see and do: nothing of Lucid, of others, or of the machine.

One script is typed into the terminal of a real session while another one runs; each test reads its line.
"""

import subprocess
from pathlib import Path

import pytest
from support.manager import Manager
from support.session import log_in, process, root_of, run_as_person

from demo.desktop import XvfbClient

pytestmark = pytest.mark.real

SCRIPT = (Path(__file__).parent / "person.sh").read_text()
ATTEMPTS = [line.split()[1] for line in SCRIPT.splitlines() if line.startswith(("refused ", "prints "))]
CONTROLS = [each for each in ATTEMPTS if each.startswith("control_")]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    segment = subprocess.run(["ipcmk", "-M", "4096"], capture_output=True, text=True, check=True)
    data = tmp_path_factory.mktemp("isolation") / "data"
    with Manager(data, first_port=14350, last_port=14360) as manager, XvfbClient() as client:
        (data / "secret").write_text("nobody in a session may read this")
        other = manager.create("ses_other")
        shown = manager.with_display(other["id"])["display"]["name"][1:]
        server = manager.create("ses_own")
        status = log_in(manager, client, server)
        names = {"DATA": data, "MANAGER": manager.pid, "OTHER": shown, "USER": server["username"]}
        script = SCRIPT
        for name, value in names.items():
            script = script.replace(f"@{name}@", str(value))
        said = run_as_person(client, status, script)
    subprocess.run(["ipcrm", "-m", segment.stdout.split()[-1]], check=True)
    return dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)


@pytest.mark.parametrize("attempt", sorted(set(ATTEMPTS) - set(CONTROLS)))
def test_inside_a_desktop_it_is_refused_to(outcome: dict[str, str], attempt: str) -> None:
    assert outcome.get(attempt) in ("refused", "as expected")


@pytest.mark.parametrize("ability", CONTROLS)
def test_inside_a_desktop_one_can(outcome: dict[str, str], ability: str) -> None:
    assert outcome.get(ability) == "as expected"


def test_the_passwords_appear_in_no_process_list_no_environment_and_no_file(tmp_path: Path) -> None:
    with Manager(tmp_path / "data", first_port=14365, last_port=14365) as manager:
        server = manager.create()
        status = manager.with_display(server["id"])
        secret = server["password"].encode()
        for pid in (*status["pids"], manager.pid):
            for name in ("cmdline", "environ"):
                assert secret not in Path(f"/proc/{pid}/{name}").read_bytes()
        root = root_of(status)
        places = [root / "run", root / "tmp", root / "home", manager.data, manager.data.parent]
        written = [path for place in places for path in place.rglob("*") if path.is_file()]
        assert len(written) > 5
        assert [path for path in written if secret in path.read_bytes()] == []


def test_the_x_server_and_xrdp_run_as_neither_root_nor_the_person(
    manager: Manager, client: XvfbClient
) -> None:
    server = manager.create()
    status = log_in(manager, client, server)
    status = manager.status(server["id"])
    owners = {
        name: Path(f"/proc/{process(status, name)}").stat().st_uid for name in ("Xorg", "xrdp", "xterm")
    }
    assert owners["Xorg"] == owners["xrdp"] == status["display"]["uid"]
    assert owners["xterm"] == owners["Xorg"] + 1
    assert 0 not in owners.values()
    manager.delete(server["id"])


def test_programs_in_the_desktop_share_memory_with_the_x_server(manager: Manager, client: XvfbClient) -> None:
    server = manager.create()
    status = log_in(manager, client, server)
    said = Path(f"/proc/{process(manager.status(server['id']), 'Xorg')}/status").read_text()
    effective = next(line.split()[1] for line in said.splitlines() if line.startswith("CapEff"))
    assert int(effective, 16) == 1 << 15, "CAP_IPC_OWNER alone, and in its own IPC namespace"
    assert "MIT-SHM" in run_as_person(client, status, "xdpyinfo | grep MIT-SHM")
    manager.delete(server["id"])
