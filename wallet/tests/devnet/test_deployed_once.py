"""A deployment with a record that is cut off goes on where it was: one record, one contract."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from devnet_chain import ALICE, BOB, Api, Chain

from lucid_kit import fault
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import DEVNET
from lucid_tron.codec.address import Address
from lucid_tron.contracts import artefact, deployment
from lucid_tron.contracts.deployment import NotDeployed, deploy, verify
from lucid_tron.contracts.record import OtherDeployment
from lucid_tron.devnet.accounts import SUN
from lucid_tron.keys.signing import PrivateKey

POINTS = ("deployment-signed", "deployment-stored", "deployment-sent")
ROUTER = artefact("PayoutRouter")
KEY = PrivateKey(ALICE.key.secret)


def values(token: Address) -> dict[str, object]:
    roles = {"owner": ALICE.address, "operator": BOB.address, "pauser": BOB.address}
    return {"token": token, **roles, "maxPayout": 5, "maxEpoch": 50, "epochSeconds": 86_400}


@pytest.fixture
def api() -> Api:
    chain = Chain(options={"solid_lag": 0})
    chain.give(ALICE.address, trx=10_000 * SUN)
    return Api(chain, instant=True)


def client(api: Api) -> TronClient:
    http = httpx.AsyncClient(transport=api.client.transport)
    return TronClient.open(DEVNET.at("http://devnet"), http=http)


def command(devnet: dict[str, Any], directory: Path) -> list[str]:
    path = directory / "deployer.key"
    path.write_text(devnet["faucet"]["private_key"])
    path.chmod(0o600)
    arguments = [f"--{name}={value}" for name, value in values(Address.parse(devnet["usdt"])).items()]
    start = [sys.executable, "-m", "lucid_tron.contracts", "deploy", "PayoutRouter"]
    record = f"--record={directory / 'router.json'}"
    return [*start, f"--node={devnet['url']}", f"--key-file={path}", record, *arguments]


def contracts_made(devnet: dict[str, Any]) -> int:
    """How many contracts all blocks of the devnet made."""
    head = httpx.post(f"{devnet['url']}/wallet/getnowblock").json()
    count = 0
    for number in range(1, head["block_header"]["raw_data"]["number"] + 1):
        block = httpx.post(f"{devnet['url']}/wallet/getblockbynum", json={"num": number}).json()
        for each in block.get("transactions", []):
            count += each["raw_data"]["contract"][0]["type"] == "CreateSmartContract"
    return count


@pytest.mark.real
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step_and_run_again_it_deploys_one_contract(
    devnet: dict[str, Any], tmp_path: Path, point: str
) -> None:
    before, argv = contracts_made(devnet), command(devnet, tmp_path)
    died = subprocess.run(argv, env=os.environ | {"LUCID_FAULT": point}, capture_output=True, check=False)
    assert died.returncode == -9
    said = set()
    for _ in range(2):
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        said.add(done.stdout.split("stands at ")[1].split()[0])
    assert len(said) == 1
    assert contracts_made(devnet) == before + 1


def test_every_fault_point_of_a_deployment_is_one_of_those_tested_here() -> None:
    assert sorted(fault.names(Path(deployment.__file__).parent)) == sorted(POINTS)


async def test_bytes_that_can_never_be_mined_are_signed_anew(api: Api, tmp_path: Path) -> None:
    record, token = tmp_path / "router.json", api.chain.usdt
    api.node.faults.lose = 1

    class Away(Exception):
        pass

    class Impatient:
        def now_ms(self) -> int:
            return 0

        def monotonic_ms(self) -> int:
            return 0

        async def sleep(self, seconds: float) -> None:
            raise Away

    async with client(api) as tron:
        with pytest.raises(Away):
            await deploy(tron, KEY, ROUTER, values(token), record=record, clock=Impatient())
        lost = json.loads(record.read_text())["txid"]
        api.chain.ledger.advance(1_000_000)
        api.chain.ledger.seal()
        address, receipt = await deploy(tron, KEY, ROUTER, values(token), record=record)
        assert receipt.txid.hex() != lost
        await verify(tron, address, ROUTER)
        assert await deploy(tron, KEY, ROUTER, values(token), record=record) == (address, receipt)


async def test_a_record_of_something_else_is_refused(api: Api, tmp_path: Path) -> None:
    record, token = tmp_path / "router.json", api.chain.usdt
    async with client(api) as tron:
        await deploy(tron, KEY, ROUTER, values(token), record=record)
        with pytest.raises(OtherDeployment, match="not KycPayoutRouter"):
            await deploy(tron, KEY, artefact("KycPayoutRouter"), values(token), record=record)
        for content in (b"", b"{}", record.read_bytes().replace(b'"txid": "', b'"txid": "00')):
            record.write_bytes(content)
            with pytest.raises(OtherDeployment, match="no record"):
                await deploy(tron, KEY, ROUTER, values(token), record=record)


async def test_a_deployment_that_failed_on_chain_leaves_no_record_behind(api: Api, tmp_path: Path) -> None:
    record = tmp_path / "router.json"
    api.chain.send_all(ALICE, leave=100 * SUN)
    async with client(api) as tron:
        with pytest.raises(NotDeployed, match="OUT_OF_ENERGY"):
            await deploy(tron, KEY, ROUTER, values(api.chain.usdt), record=record)
    assert not record.exists()
