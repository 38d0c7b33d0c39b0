"""The HTTP interface of a real manager."""

import pytest
from support.manager import Manager
from support.session import log_in

from demo.desktop import XvfbClient

pytestmark = pytest.mark.real


def test_nobody_without_a_token_is_answered(manager: Manager) -> None:
    for method, path in (("GET", "/rdp/servers"), ("POST", "/rdp/servers"), ("POST", "/xrdp/service/stop")):
        problem = manager.call(method, path, 401, headers={"Authorization": "Bearer nonsense"})
        assert problem["code"] == "LUCID_ERR_2401"


def test_a_request_that_makes_no_sense_is_a_problem_that_says_why(manager: Manager) -> None:
    for body in ({}, {"session": "../x"}, {"session": "ses_1", "width": 5}, {"session": "ses_1", "more": 1}):
        assert manager.call("POST", "/rdp/servers", 422, json=body)["code"] == "LUCID_ERR_1000"
    assert manager.call("GET", "/rdp/servers/srv_x/status", 422)["code"] == "LUCID_ERR_1000"


def test_a_session_has_one_server_and_a_repeated_request_gets_it_again(manager: Manager) -> None:
    key = {"Idempotency-Key": "k1"}
    first = manager.call("POST", "/rdp/servers", 201, json={"session": "ses_1"}, headers=key)
    again = manager.call("POST", "/rdp/servers", 201, json={"session": "ses_1"}, headers=key)
    assert again["id"] == first["id"]
    assert again["password"] != first["password"]
    problem = manager.call("POST", "/rdp/servers", 409, json={"session": "ses_1"})
    assert problem["facts"]["server"] == first["id"]
    manager.delete(first["id"])


def test_after_a_repeated_request_the_newest_password_is_the_one(
    manager: Manager, client: XvfbClient
) -> None:
    key = {"Idempotency-Key": "k2"}
    manager.call("POST", "/rdp/servers", 201, json={"session": "ses_2"}, headers=key)
    again = manager.call("POST", "/rdp/servers", 201, json={"session": "ses_2"}, headers=key)
    log_in(manager, client, again)
    problem = manager.call("POST", "/rdp/servers", 409, json={"session": "ses_2"}, headers=key)
    assert problem["code"] == "LUCID_ERR_4741", "someone has logged in: the password was not lost"
    manager.delete(again["id"])


def test_a_long_poll_waits_and_then_answers_as_it_is(manager: Manager) -> None:
    server = manager.create()
    now = manager.with_display(server["id"])
    assert manager.status(server["id"], now["revision"], 50)["revision"] == now["revision"]
    manager.delete(server["id"])
    manager.delete(server["id"])
    manager.call("GET", f"/rdp/servers/{server['id']}/status", 404)


def test_what_does_not_run_cannot_be_admitted_and_what_runs_not_be_started(manager: Manager) -> None:
    server = manager.create()
    path = f"/rdp/servers/{server['id']}"
    assert manager.call("POST", f"{path}/start", 409)["code"] == "LUCID_ERR_4743"
    assert manager.call("PUT", path, 409, json={"width": 800, "height": 600})["code"] == "LUCID_ERR_4743"
    manager.call("POST", f"{path}/stop")
    assert manager.call("POST", f"{path}/admit", 409)["code"] == "LUCID_ERR_4742"
    assert manager.call("PUT", path, json={"width": 800, "height": 600})["width"] == 800
    restarted = manager.call("POST", f"{path}/restart")
    assert (restarted["state"], restarted["width"]) == ("ready", 800)
    manager.delete(server["id"])


def test_without_a_gate_the_desktop_starts_by_itself(manager: Manager, client: XvfbClient) -> None:
    server = manager.create(gated=False)
    client.start(server["host"], server["port"], server["username"], server["password"])
    client.wait_for_pixels()
    assert manager.status(server["id"])["admitted"] is True
    manager.delete(server["id"])


def test_an_operator_sees_sessions_and_sends_clients_away(manager: Manager, client: XvfbClient) -> None:
    server = manager.create("ses_seen")
    log_in(manager, client, server)
    assert manager.call("GET", "/rdp/sessions/ses_seen")["client_connected"] is True
    assert manager.call("GET", "/rdp/sessions")["sessions"][-1]["session"] == "ses_seen"
    where = manager.call("POST", "/rdp/sessions/ses_seen/connect")
    assert (where["port"], where["fingerprint"]) == (server["port"], server["fingerprint"])
    assert manager.call("POST", "/rdp/sessions/ses_seen/disconnect") == {"clients": 1}
    manager.until(server["id"], state="disconnected")
    client.wait_until_closed()
    manager.call("GET", "/rdp/sessions/ses_unseen", 404)
    manager.delete(server["id"])


def test_what_a_server_uses_is_told_and_counted(manager: Manager) -> None:
    server = manager.create()
    manager.with_display(server["id"])
    [row] = manager.call("GET", "/resources/usage")["servers"]
    assert row["server"] == server["id"]
    assert row["rss_bytes"] > 10 << 20
    assert row["processes"] == 3
    figures = manager.text("/metrics")
    assert f'lucid_rdp_server_rss_bytes{{port="{server["port"]}"}}' in figures
    assert 'lucid_rdp_servers{state="ready"} 1.0' in figures
    manager.delete(server["id"])
    assert manager.call("GET", "/resources/usage")["servers"] == []
    assert "lucid_rdp_server_rss_bytes{" not in manager.text("/metrics")


def test_limits_hold_for_servers_started_later_and_alerts_name_who_is_near(manager: Manager) -> None:
    before = manager.call("GET", "/resources/limits")
    manager.call("PUT", "/resources/limits", json={**before, "memory_bytes": 64 << 20, "processes": 16})
    assert manager.call("GET", "/resources/alerts") == {"alerts": []}
    manager.call("PUT", "/resources/limits", 422, json={**before, "processes": 0})
    manager.call("PUT", "/resources/limits", json=before)
    config = manager.call("GET", "/xrdp/config")
    assert manager.call("PUT", "/xrdp/config", json={**config, "wrong_passwords": 7})["wrong_passwords"] == 7
    manager.call("PUT", "/xrdp/config", json=config)


def test_a_stopped_service_starts_no_servers_until_it_is_started(manager: Manager) -> None:
    server = manager.create()
    stopped = manager.call("POST", "/xrdp/service/stop")
    assert (stopped["state"], stopped["servers"]) == ("stopped", 0)
    assert manager.call("POST", "/rdp/servers", 409, json={"session": "ses_9"})["code"] == "LUCID_ERR_4744"
    manager.call("POST", "/xrdp/service/start")
    assert manager.call("POST", "/xrdp/service/restart")["state"] == "running"
    assert manager.call("GET", "/xrdp/service/status")["ports_in_use"] == 1
    manager.delete(server["id"])


def test_openapi_lists_every_address(manager: Manager) -> None:
    paths = manager.call("GET", "/openapi.json")["paths"]
    assert {"/rdp/servers", "/rdp/servers/{server_id}/admit", "/resources/alerts", "/xrdp/config"} <= set(
        paths
    )
    assert manager.call("GET", "/ready")["checks"] == {"programs": "ok"}
