"""The wallet plane as processes: what each service promises to who holds the right token, and no one else."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from demo.plane import Person, Plane, until
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import DEVNET
from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.payouts.guard import Guard
from lucid_tron.up.router import call_as_owner

pytestmark = pytest.mark.real

UNIT = SUN = 1_000_000
FUNDS = 5_000 * UNIT
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
EACH = 5  # requests to each operation, in either mode


def somebody(number: int) -> str:
    return str(PrivateKey((7_000 + number).to_bytes(32, "big")).address)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    directory = tmp_path_factory.mktemp("plane")
    quick = {f"LUCID_TRON_{name}_TICK_S": "0.2" for name in ("CLIENT", "USDT", "PAYOUTS")}
    started = Plane(
        directory / "data",
        directory / "up.log",
        LUCID_TRON_UP_BLOCK_S="0.4",
        LUCID_TRON_UP_SOLID_LAG="2",
        LUCID_TRON_UP_FUNDS=str(FUNDS),
        LUCID_TRON_PAYOUTS_TWO_PERSON_ABOVE=str(100 * UNIT),
        **quick,
    )
    with started:
        yield started


@pytest.fixture(scope="module")
def operator(plane: Plane) -> Person:
    return plane.operator


@pytest.fixture(scope="module")
def till(plane: Plane, operator: Person) -> dict[str, Any]:
    """A wallet beside the hot one, with money and caps of its own."""
    caps = {
        plane.usdt: {"per_payment": 50 * UNIT, "per_day": 120 * UNIT},
        "TRX": {"per_payment": 20 * SUN, "per_day": 100 * SUN},
    }
    wallet: dict[str, Any] = operator.post("wallets", "/wallets", {"name": "till", "caps": caps})
    faucet = {"address": wallet["address"], "trx": 2_000 * SUN, "usdt": 500 * UNIT}
    for path, body in (("faucet", faucet), ("mine", {"blocks": 4})):
        httpx.post(f"{plane.node}/admin/{path}", json=body, timeout=60).raise_for_status()
    return wallet


def became(operator: Person, service: str, path: str, *states: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = operator.get(service, path)
        return found if found["state"] in states else None

    return until(look, within=90)


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    assert found["code"].startswith("LUCID_ERR_")
    assert found["advice"]
    return found


def as_owner(plane: Plane, signature: str, *values: Any) -> None:
    """Call the router as the devnet's faucet, which owns it."""

    async def call() -> None:
        async with TronClient.open(DEVNET.at(plane.node, usdt=Address.parse(plane.usdt))) as client:
            owner = PrivateKey.from_hex(plane.faucet)
            await call_as_owner(client, owner, Address.parse(plane.router), signature, *values)

    asyncio.run(call())


# --- the network ---


def test_the_client_tells_which_network_this_is_how_it_does_and_what_it_charges(
    plane: Plane, operator: Person
) -> None:
    info = operator.get("client", "/tron/network/info")
    assert (info["network"], info["usdt"], info["quorum"]) == ("devnet", plane.usdt, 1)
    status = operator.get("client", "/tron/network/status")
    assert status["well"]
    assert len(status["nodes"]) == 1
    height = operator.get("client", "/tron/network/height")
    assert height["head"] >= height["solid"] > 0
    assert operator.get("client", "/tron/network/fees")["energy_price"] > 0
    problem(operator.ask("GET", "client", f"/tron/transactions/{'00' * 32}"), 404)


# --- wallets ---


def test_a_new_wallets_phrase_is_shown_once_and_kept_nowhere(plane: Plane, operator: Person) -> None:
    made = operator.post("wallets", "/wallets", {"name": "seen once", "words": 12})
    phrase = made["backup_phrase"]
    assert len(phrase.split()) == 12
    assert "backup_phrase" not in operator.get("wallets", f"/wallets/{made['id']}")
    for path in plane.data.rglob("*"):
        if path.is_file():
            assert phrase.encode() not in path.read_bytes(), path


def test_wallets_are_imported_derived_renamed_and_put_away(operator: Person) -> None:
    key = "11" * 32
    parent = operator.post("wallets", "/wallets", {"name": "parent"})
    child = {"name": "child", "kind": "derived", "parent": parent["id"], "account": 3}
    assert operator.post("wallets", "/wallets", child)["path"] == "m/44'/195'/3'/0/0"
    imported = operator.post("wallets", "/wallets", {"name": "by key", "kind": "key", "private_key": key})
    assert imported["address"] == str(PrivateKey.from_hex(key).address)
    share = {"name": "share", "kind": "multisig", "address": somebody(1), "private_key": "12" * 32}
    assert operator.post("wallets", "/wallets", share)["permission_id"] == 2
    phrase = " ".join(["abandon"] * 11 + ["about"])
    operator.post("wallets", "/wallets", {"name": "by phrase", "kind": "phrase", "phrase": phrase})
    path = f"/wallets/{imported['id']}"
    renamed = operator.ask("PUT", "wallets", path, json={"name": "renamed", "archived": False})
    assert renamed.json()["name"] == "renamed"
    assert operator.ask("DELETE", "wallets", path).json()["archived"] is True
    names = {each["name"] for each in operator.get("wallets", "/wallets")["wallets"]}
    assert "renamed" not in names
    assert "renamed" in {
        each["name"] for each in operator.get("wallets", "/wallets?archived=true")["wallets"]
    }
    problem(operator.ask("POST", "wallets", "/wallets", json={"name": "no key", "kind": "key"}), 422)
    problem(operator.ask("POST", "wallets", "/wallets", json={"name": "parent"}), 409)


def test_nobody_but_a_service_may_ask_for_a_bare_signature(plane: Plane, operator: Person) -> None:
    answer = operator.ask("POST", "wallets", f"/wallets/{plane.hot}/signatures", json={"raw": "0a00"})
    assert "tron:sign" in str(problem(answer, 403)["facts"])


def test_who_may_only_read_changes_nothing(plane: Plane) -> None:
    reader = plane.person("reader", "tron:read")
    assert reader.get("wallets", f"/wallets/{plane.hot}")["name"] == "hot"
    for service, path in (
        ("wallets", "/wallets"),
        ("usdt", "/usdt/transfer"),
        ("payouts", "/payouts/initiate"),
        ("payouts", "/payouts/halt"),
        ("payouts", "/payouts/deposits"),
        ("client", "/tron/transfers"),
    ):
        answer = reader.ask("POST", service, path, json={})
        assert answer.status_code in (403, 422), (path, answer.text)
        assert not answer.is_success


# --- sending ---


def test_a_transfer_asked_for_twice_arrives_once(operator: Person, till: dict[str, Any]) -> None:
    path, to = f"/wallets/{till['id']}/transactions", somebody(2)
    wanted = {"operation_id": "rent-1", "asset": "USDT", "to": to, "amount": 7 * UNIT}
    assert operator.post("wallets", path, wanted)["state"] == "approved"
    operator.post("wallets", path, wanted)
    done = became(operator, "usdt", "/usdt/operations/rent-1", "settled", "failed")
    assert (done["state"], done["result"]["credited"]) == ("settled", 7 * UNIT)
    assert operator.get("usdt", f"/usdt/balance/{to}") == {"address": to, "units": 7 * UNIT, "frozen": False}
    (moved,) = operator.get("usdt", f"/usdt/transactions/{to}")["transfers"]
    assert (moved["txid"], moved["units"]) == (done["txid"], 7 * UNIT)
    receipt = operator.get("client", f"/tron/transactions/{done['txid']}")
    assert receipt["succeeded"]
    problem(operator.ask("POST", "wallets", path, json=wanted | {"amount": 8 * UNIT}), 409)


def test_trx_goes_the_same_way(operator: Person, till: dict[str, Any]) -> None:
    path, to = f"/wallets/{till['id']}/transactions", somebody(3)
    operator.post("wallets", path, {"operation_id": "gas-1", "asset": "TRX", "to": to, "amount": 3 * SUN})
    assert became(operator, "client", "/tron/transfers/gas-1", "settled", "failed")["state"] == "settled"
    assert operator.get("client", f"/tron/accounts/{to}")["balance_sun"] == 3 * SUN
    held = operator.get("wallets", f"/wallets/{till['id']}/balance")
    assert held["trx_sun"] < 1_997 * SUN
    listed = operator.get("wallets", path)["transactions"]
    assert "gas-1" in {each["operation_id"] for each in listed}


def test_what_is_above_a_cap_waits_with_the_reason_and_is_never_signed(
    operator: Person, till: dict[str, Any]
) -> None:
    wanted = {"operation_id": "dear", "wallet_id": till["id"], "to": somebody(4), "amount": 51 * UNIT}
    operator.post("usdt", "/usdt/transfer", wanted)

    def reason() -> dict[str, Any] | None:
        found: dict[str, Any] = operator.get("usdt", "/usdt/operations/dear")
        return found if found["reason"] else None

    waits = until(reason, within=60)
    assert "LUCID_ERR_4850" in waits["reason"]
    assert (waits["state"], waits["txid"]) == ("approved", None)


def test_an_allowance_is_given_and_taken_back(operator: Person, till: dict[str, Any]) -> None:
    spender = somebody(5)
    look = f"/usdt/allowance?owner={till['address']}&spender={spender}"
    for number, amount in enumerate((4 * UNIT, 0)):
        wanted = {
            "operation_id": f"allow-{number}",
            "wallet_id": till["id"],
            "spender": spender,
            "amount": amount,
        }
        operator.post("usdt", "/usdt/approve", wanted)
        became(operator, "usdt", f"/usdt/operations/allow-{number}", "settled")
        assert operator.get("usdt", look)["units"] == amount


def test_what_cannot_be_read_is_refused_with_advice(operator: Person, till: dict[str, Any]) -> None:
    bad = {"operation_id": "x", "wallet_id": till["id"], "to": somebody(6)[:-1] + "1", "amount": 1}
    problem(operator.ask("POST", "usdt", "/usdt/transfer", json=bad), 422)
    itself = {**bad, "to": till["address"]}
    problem(operator.ask("POST", "usdt", "/usdt/transfer", json=itself), 422)
    stranger = {**bad, "to": somebody(6), "wallet_id": "wal_00000000000000000000000000000000"}
    problem(operator.ask("POST", "usdt", "/usdt/transfer", json=stranger), 409)
    many = f"/usdt/transactions/{somebody(6)}?first_block=0&last_block=100000"
    operator.ask("GET", "usdt", many)
    problem(operator.ask("GET", "usdt", f"/usdt/transactions/{somebody(6)}?first_block=9&last_block=2"), 422)


# --- payouts ---


def test_a_payout_is_asked_for_approved_and_paid(plane: Plane, operator: Person) -> None:
    wanted = {"payout_id": "one", "epoch": 1, "recipient": somebody(10), "amount": 12 * UNIT}
    assert operator.post("payouts", "/payouts/initiate", wanted)["state"] == "intent"
    assert operator.post("payouts", "/payouts/initiate", wanted)["state"] == "intent"
    carla = plane.person("carla", "tron:approve")
    assert carla.post("payouts", "/payouts/one/approve")["approvals"] == ["carla"]
    paid = became(operator, "payouts", "/payouts/one", "settled", "failed")
    assert (paid["state"], paid["credited"]) == ("settled", 12 * UNIT)
    assert operator.get("usdt", f"/usdt/balance/{somebody(10)}")["units"] == 12 * UNIT
    # The ledger's head was kept outside of the database before anything left.
    kept = json.loads((plane.data / "head" / "head.json").read_bytes())
    assert 0 < kept["count"] <= operator.get("payouts", "/payouts/reconciliation")["ledger_entries"]
    problem(operator.ask("POST", "payouts", "/payouts/cancel", json={"payout_id": "one"}), 409)
    problem(operator.ask("POST", "payouts", "/payouts/one/retry"), 409)


def test_a_large_payout_needs_two_people_who_did_not_ask_for_it(plane: Plane, operator: Person) -> None:
    wanted = {"payout_id": "large", "epoch": 1, "recipient": somebody(11), "amount": 101 * UNIT}
    operator.post("payouts", "/payouts/initiate", wanted)
    problem(operator.ask("POST", "payouts", "/payouts/large/approve"), 409)
    carla, bob = (plane.person(name, "tron:approve") for name in ("carla", "bob"))
    assert carla.post("payouts", "/payouts/large/approve")["state"] == "intent"
    assert bob.post("payouts", "/payouts/large/approve")["state"] == "approved"
    became(operator, "payouts", "/payouts/large", "settled")


def test_in_a_batch_one_bad_payout_does_not_hold_up_the_others(operator: Person) -> None:
    batch = [
        {"payout_id": f"batch-{n}", "epoch": 2, "recipient": somebody(20 + n), "amount": UNIT}
        for n in range(3)
    ]
    batch[1]["recipient"] = "T" + "1" * 33
    answer = operator.post("payouts", "/payouts/batch", {"payouts": batch})
    assert answer["accepted"] == 2
    assert [each["code"] for each in answer["outcomes"]] == [None, "LUCID_ERR_1770", None]
    cancelled = operator.post("payouts", "/payouts/cancel", {"payout_id": "batch-0"})
    assert cancelled["state"] == "cancelled"
    first = operator.get("payouts", "/payouts/history?epoch=2&limit=1")
    second = operator.get("payouts", f"/payouts/history?epoch=2&limit=1&after={first['next']}")
    shown = [each["payout_id"] for each in first["payouts"] + second["payouts"]]
    assert shown == ["batch-0", "batch-2"]


def test_money_that_leaves_beside_the_books_stops_payouts_until_a_person_resumes_them(
    plane: Plane, operator: Person
) -> None:
    as_owner(plane, "pause()")
    token, thief = Address.parse(plane.usdt), Address.parse(somebody(30))
    as_owner(plane, "rescue(address,address,uint256)", token, thief, 9 * UNIT)
    as_owner(plane, "unpause()")
    assert operator.post("payouts", "/payouts/reconciliation")["missing"] == 9 * UNIT
    books = operator.get("payouts", "/payouts/reconciliation")
    assert "lacks 9000000 units" in books["halted"]
    waiting = {"payout_id": "halted", "epoch": 3, "recipient": somebody(31), "amount": UNIT}
    operator.post("payouts", "/payouts/initiate", waiting)
    operator.post("payouts", "/payouts/halted/approve")
    # Stopped also for whoever starts the service anew.
    before = plane.pid("payouts")
    plane.kill("payouts")
    until(lambda: plane.pid("payouts") != before or None)
    assert operator.get("payouts", "/payouts/halted")["state"] == "approved"
    back = {"address": plane.router, "usdt": 9 * UNIT, "trx": 0}
    for path, body in (("faucet", back), ("mine", {"blocks": 4})):
        httpx.post(f"{plane.node}/admin/{path}", json=body, timeout=60).raise_for_status()
    operator.post("payouts", "/payouts/resume", {"why": "the nine dollars came back"})
    became(operator, "payouts", "/payouts/halted", "settled")
    balance = operator.post("payouts", "/payouts/reconciliation")
    assert (balance["missing"], balance["surplus"]) == (0, 0)


def test_the_hot_wallet_spends_through_the_router_only(plane: Plane, operator: Person) -> None:
    theft = {"operation_id": "theft", "wallet_id": plane.hot, "to": somebody(33), "amount": UNIT}
    operator.post("usdt", "/usdt/transfer", theft)

    def reason() -> str | None:
        found: str | None = operator.get("usdt", "/usdt/operations/theft")["reason"]
        return found

    assert until(reason, within=60)
    assert operator.get("usdt", "/usdt/operations/theft")["txid"] is None
    shown = operator.get("wallets", f"/wallets/{plane.hot}")
    assert set(shown["caps"]) == {plane.router}
    assert shown["fee_cap"] == 1_500_000_000


def test_what_the_router_pays_counts_towards_the_hot_wallets_cap(plane: Plane, operator: Person) -> None:
    path = f"/wallets/{plane.hot}"
    caps = operator.get("wallets", path)["caps"]
    low = {plane.router: {"per_payment": UNIT, "per_day": 10 * UNIT}}
    operator.ask("PUT", "wallets", path, json={"caps": low}).raise_for_status()
    asked = {"payout_id": "capped", "epoch": 4, "recipient": somebody(42), "amount": 2 * UNIT}
    operator.post("payouts", "/payouts/initiate", asked)
    plane.person("carla", "tron:approve").post("payouts", "/payouts/capped/approve")
    reason = until(lambda: operator.get("payouts", "/payouts/capped")["reason"], within=60)
    assert f"pays at most {UNIT} of {plane.router} at once" in reason
    assert operator.get("payouts", "/payouts/capped")["txids"] == []
    operator.ask("PUT", "wallets", path, json={"caps": caps}).raise_for_status()
    became(operator, "payouts", "/payouts/capped", "settled")


def refused(plane: Plane, **settings: object) -> tuple[str, str]:
    """What a payout service beside the plane's says that does not start: why, and what to do."""
    values = {
        "JWKS": plane.data / "issuer" / "jwks.json",
        "NODES": json.dumps([plane.node]),
        "USDT": plane.usdt,
        "WALLETS_URL": plane.services["wallets"],
        "TOKEN_FILE": plane.data / "tokens" / "payouts.token",
        "WALLET": plane.hot,
        **settings,
    }
    environment = {f"LUCID_TRON_PAYOUTS_{name}": str(value) for name, value in values.items()}
    argv = [sys.executable, "-m", "lucid_tron.payouts"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    *_, said, advice = done.stderr.strip().splitlines()
    return said, advice


def test_a_second_payout_service_is_refused_on_one_database_and_on_one_head(
    plane: Plane, tmp_path: Path
) -> None:
    said, _ = refused(plane, DATA=plane.data / "payouts", ROUTER=plane.router)
    assert "already runs" in said
    said, _ = refused(plane, DATA=tmp_path / "other", HEAD=plane.data / "head", ROUTER=plane.router)
    assert "LUCID_ERR_4831" in said


@pytest.mark.parametrize("what", ["an attacker's", "none"])
def test_a_payout_service_refuses_a_router_that_is_not_ours_and_says_why(
    plane: Plane, tmp_path: Path, what: str
) -> None:
    """The token itself stands for a contract of somebody who would like to be sent the money."""
    (tmp_path / "head").mkdir()
    Guard.create(tmp_path / "head")
    said, advice = refused(
        plane,
        DATA=tmp_path / "payouts",
        HEAD=tmp_path / "head",
        ROUTER=plane.usdt if what == "an attacker's" else "T" + "1" * 33,
    )
    if what == "an attacker's":
        assert "LUCID_ERR_4832" in said
        assert "Do not fund that address" in advice
    else:
        assert "router: " in said


def test_with_a_schedule_a_payout_waits_for_the_run_and_says_which(plane: Plane, operator: Person) -> None:
    problem(operator.ask("GET", "payouts", "/payouts/schedule"), 404)
    soon = datetime.now(UTC) + timedelta(hours=2)
    wanted = {"every": "day", "at": f"{soon:%H:%M}"}
    shown = operator.ask("PUT", "payouts", "/payouts/schedule", json=wanted).raise_for_status().json()
    assert shown["next_run"].startswith(f"{soon:%Y-%m-%dT%H:%M}")
    assert (shown["open"], shown["last_finished"]) == (False, None)
    assert shown["says"].startswith(f"Every day at {soon:%H:%M} UTC; the next run is {soon:%Y-%m-%d}")
    assert operator.get("payouts", "/payouts/schedule") == shown
    asked = {"payout_id": "later", "epoch": 4, "recipient": somebody(40), "amount": UNIT}
    operator.post("payouts", "/payouts/initiate", asked)
    plane.person("carla", "tron:approve").post("payouts", "/payouts/later/approve")
    time.sleep(2)  # ten rounds of the service
    waiting = operator.get("payouts", "/payouts/later")
    assert (waiting["state"], waiting["reason"]) == ("approved", f"Waits for the run of {shown['next_run']}")
    listed = operator.get("payouts", "/payouts/history?state=approved")["payouts"]
    assert waiting in listed
    bad = {"every": "day", "at": "24:00"}
    problem(operator.ask("PUT", "payouts", "/payouts/schedule", json=bad), 422)
    assert operator.ask("DELETE", "payouts", "/payouts/schedule").json() == {"removed": True}
    became(operator, "payouts", "/payouts/later", "settled")


def test_books_are_recovered_only_while_payouts_are_stopped(operator: Person) -> None:
    problem(operator.ask("GET", "payouts", "/payouts/recovery"), 404)
    problem(operator.ask("POST", "payouts", "/payouts/recovery", json={}), 409)


def test_a_router_without_attestations_takes_none(operator: Person) -> None:
    problem(operator.ask("GET", "payouts", f"/payouts/kyc/{somebody(41)}"), 409)


def test_statements_of_a_chain_that_is_not_paid_for_are_refused(operator: Person) -> None:
    for path in ("statements", "rates", "bindings"):
        answer = operator.ask("POST", "payouts", f"/payouts/{path}", content=b"{}")
        problem(answer, 422)


# --- as processes ---


@pytest.mark.parametrize("service", ["client", "payouts", "usdt", "wallets"])
def test_a_service_without_its_settings_names_them_and_what_to_do(service: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"lucid_tron.{service}"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"LUCID_TRON_{service.upper()}_DATA" in done.stderr
    assert "Correct the settings" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_plane_on_one_directory_is_refused(plane: Plane) -> None:
    argv = [sys.executable, "-m", "lucid_tron.up", "--data", str(plane.data), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "already runs" in done.stderr


def test_books_of_one_network_are_not_continued_on_another(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text('{"network": "nile"}')
    argv = [sys.executable, "-m", "lucid_tron.up", "--data", str(tmp_path), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "books of nile, not devnet" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("service", ["client", "payouts", "usdt", "wallets"])
def test_no_request_brings_an_answer_that_the_document_does_not_have(plane: Plane, service: str) -> None:
    token = (plane.data / "tokens" / "operator.token").read_text().strip()
    schema = schemathesis.openapi.from_url(f"{plane.services[service]}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 10
    for operation in operations:
        for mode in GenerationMode:
            # A well-formed word of a person would stop the payouts of the tests beside this one.
            if mode.is_positive and operation.path in ("/payouts/halt", "/payouts/resume"):
                continue

            @settings(
                max_examples=EACH,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def requests(case: schemathesis.Case) -> None:
                case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {token}"})

            with suppress(Unsatisfiable):
                requests()


def test_each_service_has_a_schema_of_its_own(plane: Plane) -> None:
    tables = {}
    for name in ("wallets", "client", "usdt", "payouts"):
        with sqlite3.connect(f"file:{plane.data}/{name}/{name}.db?mode=ro", uri=True) as database:
            found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        database.close()
        tables[name] = {row[0] for row in found}
    assert any("wallet" in table for table in tables["wallets"])
    assert not any("wallet" in table for name in ("client", "usdt", "payouts") for table in tables[name])
    assert not any("payouts" in table for name in ("client", "usdt", "wallets") for table in tables[name])


def test_sigterm_ends_the_whole_plane_cleanly(plane: Plane) -> None:
    assert plane.stop() == 0
    for name, url in plane.services.items():
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/health", timeout=5)
        log = (plane.data / "logs" / f"{name}.log").read_text()
        assert "Traceback" not in log, name
