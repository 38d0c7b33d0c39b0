"""The gateway's whole way over HTTP, in processes that are killed at every step of it."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_driver import PAID, REFUNDED, Plane, payer
from gateway_room import SECRET
from plane_chain import PHRASE

from lucid_kit import fault
from lucid_tron import gateway, sending
from lucid_tron.codec.address import Address
from lucid_tron.devnet.accounts import SUN
from lucid_tron.gateway.models import PAYMENTS
from lucid_tron.gateway.signature import verify
from lucid_tron.keys import mnemonic
from lucid_tron.keys.derivation import derive

pytestmark = [pytest.mark.real, pytest.mark.slow]
DRIVER = Path(__file__).with_name("gateway_driver.py")
POINTS = (
    "address-wanted",
    "address-reserved",
    "payment-stored",
    "blocks-read",
    "blocks-counted",
    "block-seen",
    "sweep-ordered",
    "funding-ordered",
    "transaction-signed",
    "transaction-stored",
    "transaction-released",
    "transaction-sent",
    "transaction-solid",
    "refund-reserved",
    "refund-submitted",
    "webhook-sent",
)


class Merchant:
    """A server that verifies each webhook and keeps it."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                id_ = verify(SECRET, dict(self.headers), body, int(time.time()))
                event = json.loads(body)
                outer.got.append((id_, event["type"], event["data"]["reference"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> "Merchant":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def devnet() -> Iterator[dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "lucid_tron.devnet",
        "--port",
        "0",
        "--ports",
        "2",
        "--manual",
        "--json",
        "--solid-lag",
        "2",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def test_every_fault_point_of_the_gateway_is_one_of_those_tested_here() -> None:
    roots = [Path(package.__path__[0]) for package in (gateway, sending)]
    # test_gateway_halts, test_lending: no part of a payment's way here
    elsewhere = {"halt-told", "findings-accepted", "return-ordered"}
    assert sorted(set(fault.names(*roots)) - elsewhere) == sorted(POINTS)


async def test_a_gateway_killed_anywhere_credits_sweeps_refunds_and_tells_once(
    devnet: dict[str, Any], tmp_path: Path
) -> None:
    urls, token = devnet["urls"], Address.parse(devnet["usdt"])
    treasury = derive(mnemonic.seed(PHRASE)).address
    for name, body in (
        ("faucet", {"address": str(treasury), "trx": 100_000 * SUN}),
        ("mine", {"blocks": 21}),
    ):
        async with httpx.AsyncClient() as http:
            (await http.post(f"{urls[0]}/admin/{name}", json=body)).raise_for_status()
    with Merchant() as merchant:
        points = ",".join((*POINTS, ""))
        command = [sys.executable, str(DRIVER), str(tmp_path), str(token), merchant.url, points, *urls]
        driver = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        said, _ = await driver.communicate()
        assert json.loads(said) == dict.fromkeys(POINTS, -9) | {"": 0}

    plane = await Plane().open(tmp_path, token, merchant.url, urls)
    # All but those whose process died before there was an address to pay to.
    paid = [payment["reference"] for payment in await plane.documents.find(PAYMENTS.name)]
    assert sorted(paid) == sorted(set(POINTS) - {"address-wanted", "address-reserved"})
    # No address was lost, and none was given to two.
    pool = [deposit.address for deposit in await plane.gateway.pool.deposits()]
    assert pool == [each.address for each in await plane.signing.reserved(plane.treasury.id)]
    given = [payment["address"] for payment in await plane.documents.find(PAYMENTS.name)]
    assert len(set(given)) == len(given) == len(pool)
    for reference in paid:
        assert await plane.usdt.balance(payer(reference)) == REFUNDED, reference
    assert await plane.usdt.balance(treasury) == len(paid) * (PAID - REFUNDED)
    report = await plane.gateway.reconciliation.enforce()
    assert report.findings == ()
    assert report.credited - report.paid_out == report.held_treasury
    told = set(merchant.got)
    for reference in paid:
        kinds = sorted(kind for _, kind, about in told if about == reference)
        assert set(kinds) - {"payment.detected"} == {"payment.paid", "payment.refunded"}, reference
        assert len(kinds) == len(set(kinds)), reference
    assert len(merchant.got) > len(told)  # one was told twice, under one id
    await plane.close()
