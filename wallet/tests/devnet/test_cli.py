"""`lucid-tron-devnet` as a process: one line when ready, loopback only, a clean end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from devnet_chain import ALICE

from lucid_tron.devnet.cli import main


@contextmanager
def running(*options: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "lucid_tron.devnet", "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline()), process
        finally:
            process.terminate()
            process.wait(20)


def post(url: str, path: str, **body: Any) -> Any:
    return httpx.post(url + path, json=body).json()


@pytest.mark.real
def test_it_says_where_it_is_and_ends_on_sigterm() -> None:
    with running("--block-time", "0") as (facts, process):
        assert facts["url"].startswith("http://127.0.0.1:")
        assert httpx.get(facts["url"] + "/healthcheck").text == "OK"
        held = post(facts["url"], "/wallet/getaccount", address=facts["faucet"]["address"], visible=True)
        assert held["balance"] > 10**15
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.real
def test_two_nodes_share_a_chain_and_not_their_faults() -> None:
    with running("--ports", "2", "--block-time", "0", "--fault", "2:lie=balance", "--fault", "slow_ms=1") as (
        facts,
        _,
    ):
        first, second = facts["urls"]
        post(first, "/admin/faucet", address=ALICE.address.base58, trx=5)
        ask = {"address": ALICE.address.hex()}
        assert post(first, "/wallet/getaccount", **ask)["balance"] == 5
        assert post(second, "/wallet/getaccount", **ask)["balance"] > 5


@pytest.mark.real
def test_blocks_come_by_themselves() -> None:
    with running("--block-time", "0.05", "--solid-lag", "2") as (facts, _):
        numbers = set()
        for _ in range(200):
            head = post(facts["url"], "/wallet/getnowblock")["block_header"]["raw_data"]
            assert head["timestamp"] % 50 == 0 or head["number"] <= 1
            numbers.add(head["number"])
            if len(numbers) > 3:
                return
            threading.Event().wait(0.02)
        pytest.fail(f"only {numbers}")


@pytest.mark.real
def test_a_mute_node_takes_the_transaction_and_cuts_the_connection() -> None:
    with running("--manual") as (facts, _):
        url = facts["url"]
        post(url, "/admin/faucet", address=ALICE.address.base58, trx=10_000_000)
        built = post(
            url,
            "/wallet/createtransaction",
            owner_address=ALICE.address.hex(),
            to_address=facts["faucet"]["address"],
            amount=5,
            visible=False,
        )
        assert "Error" in built  # mixed forms of address: the node says so
        target = httpx.post(f"{url}/wallet/listwitnesses", json={}).json()["witnesses"][0]["address"]
        built = post(
            url, "/wallet/createtransaction", owner_address=ALICE.address.hex(), to_address=target, amount=5
        )
        signature = ALICE.key.sign_recoverable(bytes.fromhex(built["txID"]), hasher=None).hex()
        post(url, "/admin/faults", mute=1)
        with pytest.raises(httpx.HTTPError):
            post(url, "/wallet/broadcasttransaction", **built | {"signature": [signature]})
        assert built["txID"] in post(url, "/wallet/gettransactionlistfrompending")["txId"]


@pytest.mark.parametrize(
    "options",
    [
        ["--ports", "0"],
        ["--ports", "17"],
        ["--block-time", "-1"],
        ["--solid-lag", "-1"],
        ["--fault", "busy"],
        ["--fault", "busy=x"],
        ["--fault", "3:busy=1"],
        ["--fault", "nonsense=1"],
        ["--parameter", "getNonsense=1"],
        ["--parameter", "getEnergyFee=x"],
    ],
)
def test_options_that_make_no_sense_are_refused_with_64(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 64
    assert "See lucid-tron-devnet --help" in capsys.readouterr().err


def test_a_taken_port_is_refused_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--port", str(taken.getsockname()[1])]) == 1
    assert "Choose another --port" in capsys.readouterr().err


def test_it_runs_in_this_process_too(capsys: pytest.CaptureFixture[str]) -> None:
    threading.Timer(1.0, signal.raise_signal, [signal.SIGTERM]).start()
    options = [
        "--port",
        "0",
        "--block-time",
        "0.1",
        "--unfreeze-delay",
        "5",
        "--parameter",
        "getEnergyFee=210",
    ]
    assert main(options) == 0
    shown = capsys.readouterr().out
    assert "TRON-compatible development network on http://127.0.0.1:" in shown
    assert "(worthless)" in shown
