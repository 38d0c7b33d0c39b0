"""For whom a wallet signs, and where deposits may go: what a stolen token of one service is worth."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from builders import BOB, USDT
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from plane_chain import PHRASE

from lucid_kit import tokens
from lucid_kit.clock import SystemClock
from lucid_kit.http import Client, RemoteProblem
from lucid_tron import abi
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import (
    Contract,
    DelegateResourceContract,
    FreezeBalanceV2Contract,
    TransferContract,
    TriggerSmartContract,
)
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.keys import mnemonic
from lucid_tron.keys.derivation import derive
from lucid_tron.keys.signing import signers
from lucid_tron.wallets import app as wallets_app
from lucid_tron.wallets.remote import RemoteWallets, SignatureRefused, WalletsFailed
from lucid_tron.wallets.settings import WalletsSettings

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW_MS = SystemClock().now_ms()
DAY_MS = 86_400_000
TREASURY = derive(mnemonic.seed(PHRASE)).address
GATEWAY = ("gateway", "tron:read", "tron:sign-own")
TOKEN_CAP = {"per_payment": 100, "per_day": 250}
CAPS = {str(USDT): TOKEN_CAP, "TRX": {"per_payment": 50, "per_day": 200, "family": True}}


def deposit(index: int) -> Address:
    return derive(mnemonic.seed(PHRASE), 1, index).address


def raw(contract: Contract, now_ms: int = NOW_MS) -> RawTransaction:
    return RawTransaction(bytes(2), bytes(8), now_ms + 60_000, now_ms, (contract,), 1_000_000)


def call(owner: Address, function: str, *values: object, to: Address = USDT, trx: int = 0) -> Contract:
    return TriggerSmartContract(owner, to, trx, abi.encode_call(function, *values))


class House:
    """The wallets service with a treasury that signs for the gateway alone, and an open wallet beside it."""

    def __init__(self, app: FastAPI) -> None:
        self.transport = httpx.ASGITransport(app=app)

    def client(self, subject: str, *scopes: str) -> Client:
        token = tokens.mint(KEY, subject, scopes, 3600, "lucid", "lucid", SystemClock())
        return Client("http://wallets", token=token, transport=self.transport)

    def wallets(self, subject: str, *scopes: str) -> RemoteWallets:
        return RemoteWallets(self.client(subject, *scopes))

    async def make(self, **body: object) -> str:
        return str((await self.client("carla", "tron:admin").post("/wallets", json=body)).json()["id"])


@contextlib.asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[House]:
    jwks = directory / "jwks.json"
    jwks.write_text(json.dumps(tokens.jwks([KEY.public_key()])))
    app = wallets_app.build(WalletsSettings(data=directory / "wallets", jwks=str(jwks)))
    async with app.router.lifespan_context(app):
        yield House(app)


async def a_treasury(house: House, **more: object) -> str:
    body = {"name": "treasury", "kind": "phrase", "phrase": PHRASE, "caps": CAPS, "signers": ["gateway"]}
    return await house.make(**body | more)


def refusal(error: SignatureRefused) -> object:
    return error.facts["remote_code"]


# --- deposit addresses ---


async def test_addresses_are_those_of_the_path_and_one_reservation_has_one_for_ever(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury, gateway = await a_treasury(house), house.wallets(*GATEWAY)
        found = [await gateway.reserve(treasury, f"dep_{number}") for number in range(3)]
        assert [(each.address, each.index) for each in found] == [(deposit(n), n) for n in range(3)]
        assert await gateway.reserve(treasury, "dep_1") == found[1]
        assert await gateway.reserved(treasury) == found
        assert await gateway.reserved(treasury, after=1) == found[2:]
    async with serving(tmp_path) as house:  # started again
        gateway = house.wallets(*GATEWAY)
        assert await gateway.reserve(treasury, "dep_0") == found[0]
        assert (await gateway.reserve(treasury, "dep_9")).index == 3


async def test_many_who_ask_at_once_get_an_address_each(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury, gateway = await a_treasury(house), house.wallets(*GATEWAY)
        names = [f"dep_{number % 6}" for number in range(12)]
        found = await asyncio.gather(*(gateway.reserve(treasury, name) for name in names))
        assert {each.reservation: each for each in found} == {each.reservation: each for each in found[:6]}
        assert sorted(each.index for each in found[:6]) == list(range(6))


async def test_a_path_that_somebody_derived_by_hand_is_passed_over(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury, gateway = await a_treasury(house), house.wallets(*GATEWAY)
        await house.make(name="by hand", kind="derived", parent=treasury, account=1, index=0)
        assert (await gateway.reserve(treasury, "dep_0")).address == deposit(1)
        assert [each.index for each in await gateway.reserved(treasury)] == [1]


async def test_deposits_need_a_seed_and_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        for body in ({"kind": "key", "private_key": "11" * 32, "caps": CAPS}, {"kind": "new", "caps": {}}):
            id_ = await house.make(name=str(body["kind"]), signers=["gateway"], **body)
            with pytest.raises(SignatureRefused) as refused:
                await house.wallets(*GATEWAY).reserve(id_, "dep_0")
            assert refusal(refused.value) == "LUCID_ERR_4756"


async def test_deposits_are_not_among_the_wallets_people_are_shown(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury = await a_treasury(house)
        await house.wallets(*GATEWAY).reserve(treasury, "dep_0")
        shown = (await house.client("ann", "tron:read").get("/wallets")).json()["wallets"]
        assert [each["id"] for each in shown] == [treasury]


async def test_a_deposit_pays_its_treasury_and_nobody_else(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury, gateway = await a_treasury(house), house.wallets(*GATEWAY)
        mine = await gateway.reserve(treasury, "dep_0")
        owner, most = mine.address, (1 << 53) - 1
        sweep = raw(call(owner, "transfer(address,uint256)", TREASURY, most))
        assert signers(await gateway.sign(mine.wallet, sweep)) == (owner,)
        attacks: list[Contract] = [
            call(owner, "transfer(address,uint256)", BOB.address, 1),
            call(owner, "transfer(address,uint256)", BOB.address, 0),
            call(owner, "approve(address,uint256)", BOB.address, 1),
            call(owner, "increaseApproval(address,uint256)", BOB.address, 1),
            call(owner, "transferFrom(address,address,uint256)", TREASURY, BOB.address, 1),
            call(owner, "transfer(address,uint256)", deposit(1), 1),
            call(owner, "transfer(address,uint256)", TREASURY, 1, trx=1),
            call(owner, "transfer(address,uint256)", TREASURY, 0, to=BOB.address),
            call(owner, "transferOwnership(address)", BOB.address),
            TransferContract(owner, TREASURY, 1),
            TransferContract(owner, BOB.address, 1),
            FreezeBalanceV2Contract(owner, 1_000_000),
            DelegateResourceContract(owner, BOB.address, 1_000_000),
        ]
        for attack in attacks:
            with pytest.raises(SignatureRefused):
                await gateway.sign(mine.wallet, raw(attack))


# --- whom a wallet signs for ---


async def test_a_stolen_token_of_the_gateway_signs_for_no_wallet_but_its_own(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        await a_treasury(house)
        hot = await house.make(name="hot", kind="key", private_key="11" * 32, caps=CAPS)
        thief = house.wallets(*GATEWAY)
        owner = (await thief.get(hot)).address
        for ask in (
            thief.sign(hot, raw(call(owner, "transfer(address,uint256)", BOB.address, 1))),
            thief.reserve(hot, "dep_0"),
        ):
            with pytest.raises(SignatureRefused) as refused:
                await ask
            assert refusal(refused.value) == "LUCID_ERR_2751"


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (("staking", "tron:read", "tron:sign-own"), "LUCID_ERR_2751"),
        (("payouts", "tron:read", "tron:sign"), "LUCID_ERR_2751"),
        (("gateway", "tron:read", "tron:write", "tron:approve", "tron:admin"), "LUCID_ERR_2403"),
    ],
)
async def test_a_wallet_with_signers_signs_for_those_alone(
    tmp_path: Path, who: tuple[str, ...], code: str
) -> None:
    async with serving(tmp_path) as house:
        treasury = await a_treasury(house)
        mine = await house.wallets(*GATEWAY).reserve(treasury, "dep_0")
        for id_, owner in ((treasury, TREASURY), (mine.wallet, mine.address)):
            transfer = raw(call(owner, "transfer(address,uint256)", TREASURY, 1))
            with pytest.raises(SignatureRefused) as refused:
                await house.wallets(*who).sign(id_, transfer)
            assert refusal(refused.value) == code


async def test_whom_a_treasury_no_longer_signs_for_its_deposits_do_not_either(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury, gateway = await a_treasury(house), house.wallets(*GATEWAY)
        mine = await gateway.reserve(treasury, "dep_0")
        changed = await house.client("carla", "tron:admin").put(
            f"/wallets/{treasury}", json={"signers": ["another"]}
        )
        assert changed.json()["signers"] == ["another"]
        with pytest.raises(SignatureRefused):
            await gateway.sign(mine.wallet, raw(call(mine.address, "transfer(address,uint256)", TREASURY, 1)))


# --- what the whole gateway, taken over, can move ---


async def test_the_treasurys_trx_goes_to_deposit_addresses_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury, gateway = await a_treasury(house), house.wallets(*GATEWAY)
        mine = await gateway.reserve(treasury, "dep_0")
        await gateway.sign(treasury, raw(TransferContract(TREASURY, mine.address, 50)))
        for stranger in (BOB.address, deposit(1), TREASURY):  # deposit 1 is nobody's yet
            with pytest.raises(SignatureRefused) as refused:
                await gateway.sign(treasury, raw(TransferContract(TREASURY, stranger, 1)))
            assert refusal(refused.value) == "LUCID_ERR_4755"


async def test_a_gateway_that_is_taken_over_moves_no_more_than_two_days_caps(tmp_path: Path) -> None:
    """It names any day it likes, splits and approves: it gets today's cap, and what yesterday's left."""
    async with serving(tmp_path) as house:
        treasury, thief = await a_treasury(house), house.wallets(*GATEWAY)
        moved, functions = 0, ("transfer(address,uint256)", "approve(address,uint256)")
        for days in (-400, -30, -3, -2, -0.9, 0, 1, 2, 30, 400):
            for amount in (101, 100, 99, 60, 1):
                for function in functions:
                    now_ms = NOW_MS + int(days * DAY_MS)
                    asked = raw(call(TREASURY, function, BOB.address, amount), now_ms)
                    with contextlib.suppress(SignatureRefused, WalletsFailed):
                        await thief.sign(treasury, asked, now_ms=now_ms)
                        moved += amount
        assert 0 < moved <= 2 * TOKEN_CAP["per_day"]
        client, body = house.client(*GATEWAY), {"caps": {str(USDT): {"per_payment": 10**9, "per_day": 10**9}}}
        for raise_caps in (
            client.put(f"/wallets/{treasury}", json=body),
            client.put(f"/wallets/{treasury}", json={"signers": []}),
            client.post("/wallets", json={"name": "mine", **body}),
        ):
            with pytest.raises(RemoteProblem) as refused:
                await raise_caps
            assert refused.value.remote_status == 403


async def test_a_signature_counts_for_no_day_long_past(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury, gateway = await a_treasury(house), house.wallets(*GATEWAY)
        asked = raw(call(TREASURY, "transfer(address,uint256)", BOB.address, 1))
        with pytest.raises(WalletsFailed) as refused:
            await gateway.sign(treasury, asked, now_ms=NOW_MS - DAY_MS - 60_000)
        assert refused.value.facts["remote_code"] == "LUCID_ERR_5752"


async def test_what_a_wallet_may_burn_as_fees_is_raised_by_an_administrator_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        treasury, gateway = await a_treasury(house), house.wallets(*GATEWAY)
        transfer = call(TREASURY, "transfer(address,uint256)", BOB.address, 1)
        dear = RawTransaction(bytes(2), bytes(8), NOW_MS + 60_000, NOW_MS, (transfer,), 300_000_000)
        with pytest.raises(SignatureRefused, match="fee limits up to 200000000"):
            await gateway.sign(treasury, dear)
        with pytest.raises(RemoteProblem, match="tron:admin"):
            await house.client(*GATEWAY).put(f"/wallets/{treasury}", json={"fee_cap": 300_000_000})
        raised = await house.client("carla", "tron:admin").put(
            f"/wallets/{treasury}", json={"fee_cap": 300_000_000}
        )
        assert raised.json()["fee_cap"] == 300_000_000
        await gateway.sign(treasury, dear)
