"""What scripts of others rely on: documents, exit codes, one instance per directory."""

import json
import os
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo.instance import LUCID, Instance
from instances import Recorded, start

pytestmark = pytest.mark.real


def lucid(
    *arguments: str, data: Path | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    place = ["--data", str(data)] if data else []
    return subprocess.run(
        [LUCID, *place, *arguments], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **environment},
    )  # fmt: skip


def failed(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The problem that a failing command printed; it must have printed nothing else, and no stack trace."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    problem: dict[str, Any] = json.loads(done.stdout)
    assert problem["code"].startswith("LUCID_ERR_")
    assert problem["advice"]
    return problem


def test_create_show_list_and_stop_give_what_is_promised(instance: Instance) -> None:
    made = instance.lucid("session", "create", "--name", "by script")
    assert made.keys() >= {"id", "host", "port", "username", "password"}
    assert 13389 <= made["port"] <= 14389
    shown = instance.lucid("session", "show", made["id"])
    assert shown.keys() >= {"id", "state", "verdict", "chunks_acknowledged", "anchored"}
    assert made["id"] in [each["id"] for each in instance.lucid("session", "list")["sessions"]]
    assert instance.lucid("session", "stop", made["id"])["state"] == "closed"


def test_an_rdp_file_names_host_and_user_and_holds_no_password(instance: Instance, tmp_path: Path) -> None:
    made = instance.lucid("session", "create", "--rdp-file", str(tmp_path / "d.rdp"))
    text = (tmp_path / "d.rdp").read_text()
    assert f"full address:s:{made['host']}:{made['port']}" in text
    assert made["username"] in text
    assert made["password"] not in text
    instance.lucid("session", "stop", made["id"])


def test_a_session_that_does_not_exist_is_a_problem_with_advice(instance: Instance) -> None:
    unknown = "ses_" + "0" * 12 + "7" + "0" * 3 + "8" + "0" * 15
    assert failed(lucid("session", "show", unknown, "--json", data=instance.data))["status"] == 404


def test_a_data_directory_without_an_instance_is_named(tmp_path: Path) -> None:
    problem = failed(lucid("session", "list", "--json", data=tmp_path / "nothing"))
    assert str(tmp_path / "nothing") in problem["detail"]


def test_the_environment_picks_the_instance_too(instance: Instance) -> None:
    done = lucid("status", "--json", LUCID_DATA=str(instance.data))
    assert json.loads(done.stdout)["pid"] == instance.pid


@pytest.mark.parametrize(
    "arguments",
    [
        ("session", "frobnicate"),
        ("session", "create", "--size", "huge"),
        ("session", "show"),
        ("session", "show", "no-id"),
        ("session", "export", f"ses_{'0' * 32}", "-o", "/nowhere/x.lucid"),
        ("--nonsense",),
    ],
)
def test_wrong_usage_is_exit_two(arguments: tuple[str, ...]) -> None:
    done = lucid(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Usage:" in done.stderr


def test_a_disk_that_refuses_is_named_with_what_to_do(instance: Instance, recorded: Recorded) -> None:
    for name in ("video", "export"):
        written = ["-o", "/proc/x.lucid", "--json"]
        problem = failed(lucid("session", name, recorded.id, *written, data=instance.data))
        assert problem["code"] == "LUCID_ERR_4025"
        assert problem["detail"].startswith("/proc/")


def test_a_second_up_on_one_directory_refuses_and_names_the_first(instance: Instance) -> None:
    problem = failed(lucid("up", "--json", data=instance.data))
    assert str(instance.pid) in problem["detail"]


def test_a_port_that_is_taken_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        problem = failed(lucid("up", "--port", str(port), "--json", data=tmp_path / "data"))
    assert str(port) in problem["detail"]
    mine = [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in _read(p)]
    assert mine == []


def test_a_machine_without_xrdp_is_told_what_to_install(tmp_path: Path) -> None:
    done = lucid("doctor", "--json", PATH=str(Path(LUCID).parent), data=tmp_path)
    assert done.returncode == 1
    mends = {each["what"]: each["mend"] for each in json.loads(done.stdout)["findings"] if not each["well"]}
    assert "apt-get install" in mends["openbox"]


def test_sigterm_ends_an_instance_cleanly(tmp_path: Path) -> None:
    with start(tmp_path) as running:
        assert stat.S_IMODE((running.data / "operator.token").stat().st_mode) == 0o600
        assert running.stop() == 0
        assert not (running.data / "instance.json").exists()
    assert failed(lucid("status", "--json", data=tmp_path / "data"))["code"] == "LUCID_ERR_4020"


def test_no_secret_is_in_arguments_environments_or_logs(instance: Instance) -> None:
    made = instance.lucid("session", "create")
    token = (instance.data / "operator.token").read_text().strip()
    secrets = [made["password"], token]
    # Our processes: everything that names the data directory, and what they started for the session.
    processes = [p.parent for p in Path("/proc").glob("[0-9]*/cmdline") if str(instance.data) in _read(p)]
    told = "".join(_read(p / "cmdline") + _read(p / "environ") for p in processes)
    logs = "".join(path.read_text() for path in (instance.data / "logs").iterdir())
    assert processes
    assert [secret for secret in secrets if secret in told or secret in logs] == []
    instance.lucid("session", "stop", made["id"])


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (OSError, ProcessLookupError):
        return ""
