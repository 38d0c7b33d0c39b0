"""The payout router of a plane that runs its own devnet: deployed once, and told its rules.

On a network of others it is deployed in the key ceremony, by its owner; this plane never has the owner's key.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from lucid_kit.errors import DomainError
from lucid_tron import abi
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import DEVNET
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.contracts import artefact
from lucid_tron.contracts.deployment import deploy
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.kyc.router import KycRouter
from lucid_tron.payouts.payer import CONTRACTS, RouterKind
from lucid_tron.usdt.fees import FeePolicy, fee_for

MOST_IN_PAYOUT: Final = 10**12
MOST_IN_EPOCH: Final = 10**14
EPOCH_S: Final = 86_400
_SEAL_EVERY_S = 0.2


class RouterUntold(DomainError):
    """The router did not take a rule from its owner."""

    code = "LUCID_ERR_4853"
    advice = "Start the plane again: what was told stays, and the rest is told then."


async def router_on_devnet(
    said: Mapping[str, Any], kind: RouterKind, operator: Address, issuers: Mapping[str, int], record: Path
) -> Address:
    """A router on the devnet that said these things of itself; the same one for ever for a record.

    Its owner is the faucet. A router with attestations lists the issuers (address → highest level), and a
    payee of any level may get `MOST_IN_PAYOUT` units in an epoch.

    Raises
    ------
    NotDeployed, RouterUntold
        If the devnet does not take it.
    """
    owner, token = PrivateKey.from_hex(said["faucet"]["private_key"]), Address.parse(said["usdt"])
    values: dict[str, object] = {
        "token": token,
        "owner": owner.address,
        "operator": operator,
        "pauser": owner.address,
        "maxPayout": MOST_IN_PAYOUT,
        "maxEpoch": MOST_IN_EPOCH,
        "epochSeconds": EPOCH_S,
    }
    client = TronClient.open(DEVNET.at(said["urls"][0], usdt=token))
    async with client, _sealing(said["url"]):
        address, _ = await deploy(client, owner, artefact(CONTRACTS[kind]), values, record=record)
        if kind == "kyc":
            router = KycRouter(client, address)
            for issuer in map(Address.parse, issuers):
                if not await router.is_issuer(issuer):
                    await call_as_owner(client, owner, address, "setIssuer(address,bool)", issuer, True)
            for level in range(max(issuers.values(), default=0) + 1):
                if not await router.level_cap(level):
                    await call_as_owner(
                        client, owner, address, "setLevelCap(uint8,uint256)", level, MOST_IN_PAYOUT
                    )
    return address


async def call_as_owner(
    client: TronClient, owner: PrivateKey, router: Address, signature: str, *values: Any
) -> None:
    """Call the router as its owner, and wait until that is irreversible.

    Raises
    ------
    RouterUntold
        If it was not mined, or failed.
    """
    data = abi.encode_call(signature, *values)
    called = await client.call(owner.address, router, signature, data[4:])
    fee = fee_for(
        called.energy, await client.parameters_agreed(), await client.resources(owner.address), FeePolicy()
    )
    call = TriggerSmartContract(owner.address, router, data=data)
    raw = await client.prepare(call, fee_limit=fee.limit)
    signed = owner.sign(raw)
    await client.broadcast(signed)
    while (receipt := await client.receipt_agreed(signed.txid)) is None:
        if await client.gone(signed.txid, raw.expiration):
            raise RouterUntold(f"{signature} was not mined in time")
        await asyncio.sleep(_SEAL_EVERY_S)
    if not receipt.succeeded:
        raise RouterUntold(f"{signature} failed: {receipt.result} {receipt.message}")


@contextlib.asynccontextmanager
async def _sealing(node: str) -> AsyncIterator[None]:
    """Seal blocks while inside, so that nobody waits for what was just sent to become irreversible."""

    async def seal() -> None:
        async with httpx.AsyncClient(base_url=node, timeout=60, trust_env=False) as http:
            while True:
                (await http.post("/admin/mine", json={"blocks": 5})).raise_for_status()
                await asyncio.sleep(_SEAL_EVERY_S)

    sealing = asyncio.create_task(seal())
    try:
        yield
    finally:
        sealing.cancel()
        await asyncio.gather(sealing, return_exceptions=True)
