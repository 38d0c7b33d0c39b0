"""Put one of Lucid's contracts on a chain, and check that what stands at an address is one of them.

Everything is built and signed here; nodes only say what the chain charges and what it holds, and every answer
that matters is one a quorum agrees on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lucid_kit import fault
from lucid_kit.clock import Clock, SystemClock
from lucid_kit.errors import DomainError
from lucid_tron import abi
from lucid_tron.client.client import TronClient
from lucid_tron.client.models import Receipt, read_bytes, read_int
from lucid_tron.codec import contracts as c
from lucid_tron.codec.address import Address
from lucid_tron.codec.json import message_from_json
from lucid_tron.contracts.artefacts import Artefact
from lucid_tron.contracts.record import read_record, write_record
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.sending.attempt import Attempt

ENERGY_MARGIN = 12, 10
"""The fee limit allows for a fifth more energy than the dry run took."""
LIFETIME_MS = 10 * 60_000
POLL_S = 1.0
ORIGIN_ENERGY_LIMIT = 10_000_000


class NotDeployed(DomainError):
    """The chain did not take the contract."""

    code = "LUCID_ERR_4790"
    advice = "Read the reason, give the deployer more TRX or correct the arguments, and deploy again."


class NotOurContract(DomainError):
    """What stands at that address is not the contract it should be."""

    code = "LUCID_ERR_4791"
    advice = "Do not fund it and do not point a payout processor at it; check address, network and release."


@dataclass(frozen=True, slots=True)
class Verified:
    """A contract whose creation code and running code are this artefact's."""

    address: Address
    artefact: Artefact
    arguments: dict[str, object]


def constructor_types(artefact: Artefact) -> list[tuple[str, str]]:
    """Names (without a trailing underscore) and types of the constructor's parameters, in order."""
    for each in artefact.abi:
        if each["type"] == "constructor":
            return [(item["name"].rstrip("_"), item["type"]) for item in each["inputs"]]
    return []


def encode_arguments(artefact: Artefact, values: dict[str, object]) -> bytes:
    """Encode a constructor's arguments, given by name."""
    parameters = constructor_types(artefact)
    kinds = ",".join(kind for _, kind in parameters)
    return abi.encode(f"({kinds})", tuple(values[name] for name, _ in parameters))


async def deploy(
    client: TronClient,
    key: PrivateKey,
    artefact: Artefact,
    values: dict[str, object],
    *,
    record: Path | None = None,
    on_sent: Callable[[Address, bytes], None] = lambda *_: None,
    clock: Clock | None = None,
) -> tuple[Address, Receipt]:
    """Deploy and wait until it is irreversible. `on_sent` hears of address and txID before anything is sent.

    With a `record`, a file that need not be there yet, a deployment that was cut off goes on where it was:
    the same bytes are sent again, so one record stands for one contract. Without, it is signed anew.

    Raises
    ------
    NotDeployed
        If it failed, was refused, or expired without a trace.
    OtherDeployment
        If the record is of another contract or deployer.
    """
    clock = clock or SystemClock()
    attempt = read_record(record, artefact, key.address) if record else None
    if attempt is not None and await client.gone(bytes.fromhex(attempt.txid), attempt.expiration_ms):
        attempt = None  # never mined, and never will be
    if attempt is None:
        attempt = await _signed(client, key, artefact, values)
        fault.point("deployment-signed")
        # Ends here: the bytes are nowhere but in lost memory; nothing was sent.
        if record is not None:
            write_record(record, artefact, attempt)
            fault.point("deployment-stored")
            # Ends here: the bytes are stored and were not sent; the next start sends them.
    address = Address.of_contract(attempt.signed.txid, key.address)
    on_sent(address, attempt.signed.txid)
    receipt = await client.receipt_agreed(attempt.signed.txid)
    if receipt is None:
        sent = await client.broadcast(attempt.signed)
        fault.point("deployment-sent")
        # Ends here: it was sent; the next start finds it on the chain, or sends the same bytes again.
        if sent.outcome == "refused":
            raise NotDeployed(f"Every node refuses it: {', '.join(sorted(set(sent.codes.values())))}")
        receipt = await _solid(client, attempt, clock)
    if receipt is None:
        _forget(record)  # these bytes can never be mined any more
        raise NotDeployed(f"Transaction {attempt.txid} expired and is in no solid block")
    if not receipt.succeeded:
        _forget(record)
        raise NotDeployed(f"Transaction {attempt.txid} failed: {receipt.result} {receipt.message}")
    return address, receipt


async def _signed(
    client: TronClient, key: PrivateKey, artefact: Artefact, values: dict[str, object]
) -> Attempt:
    code = artefact.bytecode + encode_arguments(artefact, values)
    new = c.SmartContract(
        origin_address=key.address,
        abi=message_from_json(c.Abi, {"entrys": artefact.chain_abi()}),
        bytecode=code,
        consume_user_resource_percent=100,
        name=artefact.name,
        origin_energy_limit=ORIGIN_ENERGY_LIMIT,
    )
    fee_limit = await _fee_limit(client, key.address, code)
    raw = await client.prepare(
        c.CreateSmartContract(key.address, new), lifetime_ms=LIFETIME_MS, fee_limit=fee_limit
    )
    return Attempt.of(key.sign(raw), raw.expiration)


async def _solid(client: TronClient, attempt: Attempt, clock: Clock) -> Receipt | None:
    """What became of it, once that is irreversible; None if it can never be mined any more."""
    txid = bytes.fromhex(attempt.txid)
    while True:
        if (receipt := await client.receipt_agreed(txid)) is not None:
            return receipt
        if await client.gone(txid, attempt.expiration_ms):
            return None
        await clock.sleep(POLL_S)


def _forget(record: Path | None) -> None:
    if record is not None:
        record.unlink(missing_ok=True)


async def _fee_limit(client: TronClient, owner: Address, code: bytes) -> int:
    """Sun that the deployment may cost: a dry run's energy, a fifth more, at the chain's price."""
    parameters = await client.parameters_agreed()
    body = {"owner_address": owner.hex(), "data": code.hex()}
    answer = await client.pool.any("/wallet/triggerconstantcontract", body)
    energy = read_int(answer, "energy_used", 0)
    if not energy or answer.get("transaction", {}).get("ret", [{}])[0].get("ret") == "FAILED":
        raise NotDeployed("A dry run of the constructor fails; check the arguments")
    limit = energy * ENERGY_MARGIN[0] // ENERGY_MARGIN[1] * parameters.raw["getEnergyFee"]
    return min(limit, parameters.raw.get("getMaxFeeLimit", limit))


async def verify(client: TronClient, address: Address, artefact: Artefact) -> Verified:
    """Compare what nodes hold at an address with an artefact, byte by byte.

    The running code is compared but for the places where the constructor writes immutable values, and those
    follow from the creation code and its arguments, which are compared too.

    Raises
    ------
    NotOurContract
        If anything differs, or nothing is there.
    """

    def view(answer: Any) -> Any:
        contract = answer.get("smart_contract", {}) if isinstance(answer, dict) else {}
        creation = read_bytes(contract, "bytecode").hex() if contract else ""
        return [read_bytes(answer, "runtimecode").hex() if answer else "", creation]

    found = await client.pool.agreed("/wallet/getcontractinfo", {"value": address.hex()}, view)
    runtime, creation = bytes.fromhex(found[0]), bytes.fromhex(found[1])
    if not runtime:
        raise NotOurContract(f"There is no contract at {address.base58}")
    if _masked(runtime, artefact.immutables) != _masked(artefact.runtime, artefact.immutables):
        raise NotOurContract(f"The running code at {address.base58} is not {artefact.name}'s")
    if not creation.startswith(artefact.bytecode):
        raise NotOurContract(f"{address.base58} was not created by {artefact.name}'s code")
    parameters = constructor_types(artefact)
    try:
        values = abi.decode([kind for _, kind in parameters], creation[len(artefact.bytecode) :])
    except abi.AbiMismatch as error:
        raise NotOurContract(f"The constructor's arguments cannot be read: {error.detail}") from error
    arguments = {name: value for (name, _), value in zip(parameters, values, strict=True)}
    return Verified(address, artefact, arguments)


def _masked(code: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    """The code with zeros where immutable values stand."""
    masked = bytearray(code)
    for start, length in places:
        masked[start : start + length] = bytes(length)
    return bytes(masked)
