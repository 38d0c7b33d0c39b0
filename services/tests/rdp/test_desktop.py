"""A real xfreerdp at a real xrdp."""

import pytest
from support.manager import Manager

from demo.desktop import XvfbClient

pytestmark = pytest.mark.real


def test_a_person_logs_in_sees_black_until_admitted_and_then_a_desktop(
    manager: Manager, client: XvfbClient
) -> None:
    server = manager.create()
    assert server["state"] == "ready"
    client.start(
        server["host"],
        server["port"],
        server["username"],
        server["password"],
        fingerprint=server["fingerprint"],
    )
    manager.until(server["id"], client_connected=True, state="connected")
    assert client.screenshot().lit < 500, "something shows although the gate is closed"

    manager.call("POST", f"/rdp/servers/{server['id']}/admit")
    client.wait_for_pixels()

    client.disconnect()
    manager.until(server["id"], client_connected=False, state="disconnected")
    manager.delete(server["id"])
    manager.call("GET", f"/rdp/servers/{server['id']}", 404)
