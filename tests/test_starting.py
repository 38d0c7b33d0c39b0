"""Killed while an instance, or a desktop, is being made: the next try finds nothing half-done."""

import os
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from demo.instance import LUCID, Instance
from instances import start

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.mark.parametrize("point", ["up-keys-made", "up-chain-made"])
def test_a_first_start_that_was_killed_is_taken_up_where_it_ended(tmp_path: Path, point: str) -> None:
    argv = [LUCID, "--data", str(tmp_path / "data"), "up", "--json"]
    killed = subprocess.run(argv, env={**os.environ, "LUCID_FAULT": point}, capture_output=True, check=False)
    assert killed.returncode == -9
    with start(tmp_path) as instance:
        assert instance.lucid("chain", "verify")["valid"] is True
        assert instance.lucid("session", "create")["id"]


@pytest.mark.parametrize("point", ["rdp-server-begun", "rdp-server-recorded"])
def test_a_desktop_whose_manager_is_killed_while_making_it_leaves_nothing(tmp_path: Path, point: str) -> None:
    with start(tmp_path, LUCID_RDP__FAULT=point) as instance:
        answer = instance.api.post("/sessions", json={})
        assert answer.status_code in (502, 503)
        assert answer.json()["code"].startswith("LUCID_ERR_5")
        deadline = time.monotonic() + 30
        while (session := _only_session(instance.api))["state"] != "abandoned":
            assert time.monotonic() < deadline, session
            time.sleep(0.2)
        assert session["reason"]
        while (alive := _alive(instance)) != []:  # None while the manager is on its way back
            assert time.monotonic() < deadline, alive
            time.sleep(0.2)


def _only_session(api: httpx.Client) -> dict[str, str]:
    (one,) = api.get("/sessions").json()["sessions"]
    found: dict[str, str] = one
    return found


def _alive(instance: Instance) -> list[str] | None:
    """States of the desktops that are not over; None if nobody answers."""
    try:
        servers = instance.api.get(f"{instance.services['rdp']}/rdp/servers").json()["servers"]
    except httpx.TransportError:
        return None
    return [each["state"] for each in servers if each["state"] not in ("stopped", "failed")]
