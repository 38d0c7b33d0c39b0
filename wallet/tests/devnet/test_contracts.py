"""What is published is what the sources compile to; what is deployed is what is published."""

from __future__ import annotations

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from devnet_chain import ALICE, BOB, Api, Chain
from npm_packages import ROOM, installed

from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import DEVNET
from lucid_tron.codec.address import Address
from lucid_tron.contracts import artefact, artefacts
from lucid_tron.contracts.artefacts import NAMES, ArtefactDamaged
from lucid_tron.contracts.cli import main
from lucid_tron.contracts.deployment import NotDeployed, NotOurContract, deploy, encode_arguments, verify
from lucid_tron.devnet.accounts import SUN
from lucid_tron.keys.signing import PrivateKey

SOURCES = ROOM / "contracts"


@pytest.mark.real
def test_the_sources_compile_to_the_published_artefacts_offline(tmp_path: Path) -> None:
    compiler = installed(SOURCES, "solc")
    for part in ("contracts/src", "contracts/tests", "src/lucid_tron/contracts/artifacts"):
        shutil.copytree(ROOM / part, tmp_path / part)
    for name in ("compile.mjs", "package.json"):
        shutil.copy(SOURCES / name, tmp_path / "contracts")
    (tmp_path / "contracts" / "node_modules").symlink_to(compiler / "node_modules")

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["node", "--preserve-symlinks", "compile.mjs", "--check"],
            cwd=tmp_path / "contracts",
            capture_output=True,
            text=True,
            check=False,
        )

    done = check()
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert f"{name} {artefact(name).bytecode_sha256}" in done.stdout
    source = tmp_path / "contracts" / "src" / "PayoutRouter.sol"
    source.write_text(source.read_text().replace("MAX_BATCH = 30", "MAX_BATCH = 31"))
    changed = check()
    assert changed.returncode == 1
    assert "PayoutRouter: the artefact in the repository is not what" in changed.stderr


@pytest.mark.parametrize("name", NAMES)
def test_artefacts_state_their_digests_and_sources(name: str) -> None:
    found = artefact(name)
    assert sha256(found.bytecode).hexdigest() == found.bytecode_sha256
    assert sha256(found.runtime).hexdigest() == found.runtime_sha256
    content = json.loads((ROOM / f"src/lucid_tron/contracts/artifacts/{name}.json").read_text())
    assert content["settings"]["evmVersion"] == "london"
    for source, digest in content["source_sha256"].items():
        file = source.removeprefix("./")
        assert sha256((SOURCES / file).read_bytes()).hexdigest() == digest


def test_a_damaged_artefact_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    text = (ROOM / "src/lucid_tron/contracts/artifacts/PayoutRouter.json").read_text()
    (folder / "PayoutRouter.json").write_text(text.replace('"bytecode": "60', '"bytecode": "61'))
    monkeypatch.setattr(artefacts, "files", lambda _: tmp_path)
    artefact.cache_clear()
    with pytest.raises(ArtefactDamaged):
        artefact("PayoutRouter")
    artefact.cache_clear()


def values(token: Address) -> dict[str, object]:
    return {
        "token": token,
        "owner": ALICE.address,
        "operator": BOB.address,
        "pauser": BOB.address,
        "maxPayout": 5,
        "maxEpoch": 50,
        "epochSeconds": 86_400,
    }


@pytest.fixture
def api() -> Api:
    chain = Chain(options={"solid_lag": 0})
    chain.give(ALICE.address, trx=10_000 * SUN)
    return Api(chain, instant=True)


def client(api: Api) -> TronClient:
    http = httpx.AsyncClient(transport=api.client.transport)
    return TronClient.open(DEVNET.at("http://devnet"), http=http)


def key() -> PrivateKey:
    return PrivateKey(ALICE.key.secret)


async def test_a_router_is_deployed_and_verified(api: Api) -> None:
    heard: list[Any] = []
    async with client(api) as tron:
        address, receipt = await deploy(
            tron,
            key(),
            artefact("PayoutRouter"),
            values(api.chain.usdt),
            on_sent=lambda *sent: heard.append(sent),
        )
        assert receipt.succeeded
        assert heard == [(address, receipt.txid)]
        found = await verify(tron, address, artefact("PayoutRouter"))
    assert found.arguments == values(api.chain.usdt)


async def test_another_contract_is_not_ours(api: Api) -> None:
    async with client(api) as tron:
        with pytest.raises(NotOurContract, match="running code"):
            await verify(tron, api.chain.usdt, artefact("PayoutRouter"))
        with pytest.raises(NotOurContract, match="no contract"):
            await verify(tron, BOB.address, artefact("PayoutRouter"))
        await verify(tron, api.chain.usdt, artefact("DevnetUSDT"))


async def test_our_code_created_by_other_code_is_not_ours(api: Api) -> None:
    """A creation code that writes state of its own and then returns our running code."""
    runtime = artefact("PayoutRouter").runtime
    own = "6001600055"  # a hidden row: somebody is already owner
    head = f"{own}61{len(runtime):04x}60{len(bytes.fromhex(own)) + 14:02x}60003961{len(runtime):04x}6000f3"
    address = api.chain.deploy(bytes.fromhex(head) + runtime)
    async with client(api) as tron:
        with pytest.raises(NotOurContract, match="was not created by"):
            await verify(tron, address, artefact("PayoutRouter"))


async def test_arguments_that_cannot_be_read_are_not_ours(api: Api) -> None:
    compiled = artefact("DevnetUSDT")
    async with client(api) as tron:
        whole = compiled.bytecode + encode_arguments(
            compiled, {"supply": 5, "name": "n", "symbol": "s", "decimals": 2}
        )
        address = api.chain.deploy(whole)
        from dataclasses import replace

        there = api.chain.ledger.state.get(("contract", bytes(address)))
        cut = replace(there, bytecode=there.bytecode[:-200])
        api.chain.ledger.amend().put(("contract", bytes(address)), cut)
        with pytest.raises(NotOurContract, match="arguments cannot be read"):
            await verify(tron, address, compiled)


async def test_a_constructor_that_fails_is_not_sent(api: Api) -> None:
    wrong = values(api.chain.usdt) | {"epochSeconds": 0}
    async with client(api) as tron:
        with pytest.raises(NotDeployed, match="dry run"):
            await deploy(tron, key(), artefact("PayoutRouter"), wrong)


async def test_a_refused_or_lost_deployment_is_told(api: Api) -> None:
    poor = PrivateKey(BOB.key.secret)
    async with client(api) as tron:
        with pytest.raises(NotDeployed, match="refuses it: CONTRACT_VALIDATE_ERROR"):
            await deploy(tron, poor, artefact("PayoutRouter"), values(api.chain.usdt))
        api.node.faults.lose = 1

        class Impatient:
            """A clock whose waiting moves the chain on."""

            def now_ms(self) -> int:
                return 0

            def monotonic_ms(self) -> int:
                return 0

            async def sleep(self, seconds: float) -> None:
                api.chain.ledger.advance(1_000_000)

        with pytest.raises(NotDeployed, match="expired"):
            await deploy(tron, key(), artefact("PayoutRouter"), values(api.chain.usdt), clock=Impatient())


async def test_a_deployment_that_fails_on_chain_is_told(api: Api) -> None:
    api.chain.send_all(ALICE, leave=100 * SUN)
    async with client(api) as tron:
        with pytest.raises(NotDeployed, match="OUT_OF_ENERGY"):
            await deploy(tron, key(), artefact("PayoutRouter"), values(api.chain.usdt))


def test_the_command_lists_digests(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert artefact("PayoutRouter").bytecode_sha256 in capsys.readouterr().out


@pytest.mark.parametrize(("content", "mode"), [(None, 0o600), ("zz", 0o600), ("07" * 32, 0o644)])
def test_a_key_file_that_is_missing_wrong_or_open_is_refused(
    content: str | None, mode: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deployer.key"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    arguments = [f"--{name}={value}" for name, value in values(BOB.address).items()]
    assert (
        main(["deploy", "PayoutRouter", "--node=http://127.0.0.1:1", f"--key-file={path}", *arguments]) == 1
    )
    error = capsys.readouterr().err
    assert error
    assert "07" * 32 not in error


@pytest.mark.real
def test_the_commands_deploy_and_verify_on_a_running_devnet(
    devnet: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deployer.key"
    path.write_text(devnet["faucet"]["private_key"] + "\n")
    path.chmod(0o600)
    arguments = [f"--{name}={value}" for name, value in values(Address.parse(devnet["usdt"])).items()]
    command = ["deploy", "KycPayoutRouter", f"--node={devnet['url']}", f"--key-file={path}", *arguments]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert f"creation code sha256 {artefact('KycPayoutRouter').bytecode_sha256}" in shown
    assert f"operator = {BOB.address.base58}" in shown
    address = shown.split("stands at ")[1].split()[0]
    assert main(["verify", f"--node={devnet['url']}", "KycPayoutRouter", address]) == 0
    assert main(["verify", f"--node={devnet['url']}", "PayoutRouter", address]) == 1
    assert "Do not fund it" in capsys.readouterr().err
