"""The services as processes of their own: started alone, asked over HTTP, with tokens."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plane_processes import KEYS, Processes

from lucid_tron.devnet.accounts import SUN
from lucid_tron.usdt.manager import UNIT

pytestmark = pytest.mark.real
RW = ("tron:read", "tron:write")


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.end_all()


def test_payments_are_asked_for_seen_and_given_back_over_http(plane: Processes) -> None:
    plane.service("gateway")
    with plane.person("gateway", "shop", *RW) as shop:
        assert shop.get("/ready").status_code == 200
        asked = {"amount": 10 * UNIT, "reference": "order-1", "metadata": {"basket": 7}}
        made = shop.post("/payments/process", json=asked)
        assert made.status_code == 201, made.text
        payment = made.json()
        assert shop.post("/payments/process", json=asked).json() == payment
        plane.admin("faucet", address=payment["address"], usdt=10 * UNIT)
        path = f"/payments/{payment['payment_id']}"
        paid = plane.until(shop, path, "state", "paid")
        assert (paid["received"], paid["still_due"], paid["metadata"]) == (10 * UNIT, 0, {"basket": 7})
        body = {"payment_id": payment["payment_id"], "refund_id": "r1", "amount": UNIT}
        back = {"recipient": plane.devnet["faucet"]["address"]}
        given = shop.post("/payments/refund", json=body | back)
        assert given.status_code == 202, given.text
        assert shop.post("/payments/refund", json=body | {"recipient": "T"}).json()["code"].endswith("1800")
        assert shop.post("/payments/webhook", json={"payment_id": payment["payment_id"]}).status_code == 409
        plane.until(shop, path, "refunded", UNIT)
        books = shop.get("/api/v1/payments/reconciliation").json()
        assert (books["halted"], books["report"]["balances"]) == (None, True)
        assert shop.get("/payments/pay_" + "0" * 32).status_code in (404, 422)
        assert shop.get(path, headers={"authorization": ""}).status_code == 401
    secret = plane.directory / "whsec"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_stakes_are_asked_for_over_http_and_made_once(plane: Processes) -> None:
    plane.service("staking")
    stake = KEYS["stake"].address
    with plane.person("staking", "ann", *RW) as client:
        asked = {"operation_id": "op-1", "amount": 5_000 * SUN}
        for _ in range(2):
            made = client.post("/staking/stake", json=asked)
            assert made.status_code == 202, made.text
        plane.until(client, "/staking/operations/op-1", "state", "settled")
        status = client.get(f"/staking/status/{stake}").json()
        assert (status["staked"]["ENERGY"], status["queue_left"], status["unfreezing"]) == (5 * 10**9, 32, [])
        assert client.get(f"/staking/rewards/{stake}").json()["reward_sun"] == 0
        plan = client.get(f"/staking/plan/{stake}", params={"payouts_per_day": 100})
        assert plan.status_code in (200, 409), plan.text
        other = {"operation_id": "op-2", "amount": SUN}
        assert (
            client.post("/staking/unstake", json=other | {"amount": 9 * 10**9})
            .json()["code"]
            .endswith("4783")
        )
        loan = {"receiver": plane.devnet["faucet"]["address"]}
        for name, more in (("unstake", {}), ("delegate", loan), ("undelegate", loan), ("vote", {})):
            body = {"operation_id": f"{name}-1"} | (
                {"votes": {str(stake): 1}} if name == "vote" else other | more
            )
            body["operation_id"] = f"{name}-1"
            answer = client.post(f"/staking/{name}", json=body)
            assert answer.status_code in (202, 409), answer.text
        for name in ("withdraw", "cancel"):
            assert client.post(f"/staking/{name}", json={"operation_id": f"{name}-1"}).status_code == 409
        rewards = {"operation_id": "claim-1", "what": "rewards"}
        assert client.post("/staking/withdraw", json=rewards).status_code in (202, 409)


def test_a_service_without_what_it_needs_says_which_setting(tmp_path: Path) -> None:
    base = {"DATA": str(tmp_path / "d"), "JWKS": str(tmp_path / "jwks.json"), "WALLET": "wal_1"}
    base |= {"WALLETS_URL": "http://127.0.0.1:9", "TOKEN_FILE": str(tmp_path / "token")}
    wrong = [
        ({}, "usdt"),
        ({"USDT": "T"}, "usdt"),
        ({"PHRASE_FILE": "p"}, "LUCID_TRON_STAKING_PHRASE_FILE"),
        ({"PORTS": "1"}, "LUCID_TRON_STAKING_PORT"),
    ]
    for values, named in wrong:
        env = {f"LUCID_TRON_STAKING_{key}": value for key, value in (base | values).items()}
        command = [sys.executable, "-m", "lucid_tron.staking"]
        said = subprocess.run(command, env=os.environ | env, capture_output=True, text=True)
        assert said.returncode == 1
        last = said.stderr.strip().splitlines()[-2:]
        assert named in last[0], said.stderr
        assert "Traceback" not in last[0]
