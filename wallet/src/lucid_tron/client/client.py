"""What the wallet plane asks a TRON network, in its own words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from lucid_kit.clock import Clock, SystemClock
from lucid_kit.errors import LucidError
from lucid_tron.client.errors import CallReverted, MalformedAnswer
from lucid_tron.client.models import (
    BlockRef,
    Broadcast,
    Called,
    ChainParameters,
    Receipt,
    Resources,
    read_bytes,
    read_int,
)
from lucid_tron.client.node import Answer, Node
from lucid_tron.client.pool import NodePool
from lucid_tron.client.profiles import Profile
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import Contract
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction

# java-tron's `response_code`s that judge the transaction and not the node's own state.
_REFUSALS = frozenset(
    (
        "SIGERROR",
        "CONTRACT_VALIDATE_ERROR",
        "TAPOS_ERROR",
        "TOO_BIG_TRANSACTION_ERROR",
        "TRANSACTION_EXPIRATION_ERROR",
    )
)
_DUPLICATE = "DUP_TRANSACTION_ERROR"


@dataclass(frozen=True, slots=True)
class Presence:
    """Where a transaction was seen: in the view of at least one node, or by none of a quorum."""

    seen: bool
    solid: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """What a transaction stands on: a solid block, by parts of its number and hash, and the chain's time."""

    block_bytes: bytes
    block_hash: bytes
    now_ms: int


class TronClient:
    """A network, through a pool of nodes. Reads named `…_agreed` are for decisions over money."""

    def __init__(self, profile: Profile, pool: NodePool, http: httpx.AsyncClient) -> None:
        self.profile = profile
        self.pool = pool
        self._http = http

    @classmethod
    def open(
        cls,
        profile: Profile,
        *,
        clock: Clock | None = None,
        api_key: str | None = None,
        timeout_s: float = 10.0,
        http: httpx.AsyncClient | None = None,
        chance: random.Random | None = None,
        attempts: int = 5,
    ) -> TronClient:
        """A client of the profile's nodes.

        Raises
        ------
        TooFewNodes
            If the profile has fewer nodes than must agree.
        """
        clock = clock or SystemClock()
        http = http or httpx.AsyncClient(timeout=timeout_s)
        nodes = [Node(url, profile, http, clock, api_key=api_key, chance=chance) for url in profile.nodes]
        return cls(profile, NodePool(nodes, profile.quorum, clock, attempts=attempts, chance=chance), http)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- blocks ---

    async def head(self) -> BlockRef:
        """The newest block of some node."""
        answer = await self.pool.any("/wallet/getnowblock", {}, BlockRef.read)
        return BlockRef.read(answer)

    async def solid_head_agreed(self) -> BlockRef:
        """The newest block that *every* answering node of a quorum calls solid: the lowest of theirs."""
        answers = await self.pool.several("/walletsolidity/getnowblock", {})
        return min((BlockRef.read(answer) for _, answer in answers), key=lambda block: block.number)

    async def block(self, number: int) -> Answer:
        """A block with its transactions, as a node gives it."""
        return await self.pool.any("/wallet/getblockbynum", {"num": number}, BlockRef.read)

    async def block_id_agreed(self, number: int) -> bytes:
        """The id of a block, 32 bytes."""
        found = await self.pool.agreed(
            "/wallet/getblockbynum", {"num": number}, lambda answer: BlockRef.read(answer).id.hex()
        )
        return bytes.fromhex(found)

    async def prepare(
        self,
        contract: Contract,
        *,
        lifetime_ms: int = 60_000,
        fee_limit: int = 0,
        memo: bytes = b"",
        permission_id: int = 0,
        reference: Reference | None = None,
    ) -> RawTransaction:
        """A transaction that stands on a solid block and expires `lifetime_ms` after the chain's own time.

        Built here from the contract: no node has a say in what will be signed. A solid reference block
        cannot be reorganised away (TAPOS_ERROR), and the time is the chain's, so that a wrong clock of this
        machine neither shortens nor stretches a transaction's life.
        """
        on = reference or await self.reference()
        expires, contracts = on.now_ms + lifetime_ms, (contract,)
        return RawTransaction(
            on.block_bytes, on.block_hash, expires, on.now_ms, contracts, fee_limit, memo, permission_id
        )

    async def reference(self) -> Reference:
        """What a transaction of this moment stands on; it does for several."""
        solid, head = await asyncio.gather(self.solid_head_agreed(), self.head())
        now = max(solid.timestamp_ms, min(head.timestamp_ms, solid.timestamp_ms + 10 * 60_000))
        return Reference(*solid.tapos, now)

    # --- transactions ---

    async def broadcast(self, signed: SignedTransaction) -> Broadcast:
        """Send stored bytes to every node. Sending the same bytes again does no harm.

        No outcome, not even `refused`, allows to sign anew: the bytes stay valid until they expire.
        """
        envelope = transaction.encode_signed(signed).hex()
        answers = await self.pool.everyone("/wallet/broadcasthex", {"transaction": envelope})
        codes = {name: _broadcast_code(answer) for name, answer in answers.items()}
        said = set(codes.values())
        if "SUCCESS" in said:
            return Broadcast("accepted", codes)
        if _DUPLICATE in said:
            return Broadcast("already_sent", codes)
        if said <= _REFUSALS:
            return Broadcast("refused", codes)
        return Broadcast("unknown", codes)

    async def receipt_agreed(self, txid: bytes) -> Receipt | None:
        """What became of a transaction, from solid blocks and by a quorum; None while there is nothing.

        Raises
        ------
        NodesDisagree
            If nodes contradict each other (also while one is behind): ask again later.
        """

        def view(answer: Answer) -> Any:
            if not answer:
                return None
            if Receipt.read(answer).txid != txid:
                raise MalformedAnswer("A node gave the receipt of another transaction")
            kept = ("id", "blockNumber", "blockTimeStamp", "fee", "receipt", "log", "result", "resMessage")
            return {name: answer[name] for name in (*kept, "contract_address") if name in answer}

        found = await self.pool.agreed("/walletsolidity/gettransactioninfobyid", {"value": txid.hex()}, view)
        return None if found is None else Receipt.read(found)

    async def presence(self, txid: bytes) -> Presence:
        """Whether any node of at least a quorum knows a transaction, pending, mined or solid.

        Only `seen=False` after the solid head has passed the expiration allows to sign anew.

        Raises
        ------
        TooFewNodes
            If fewer nodes than the quorum answer: then nobody knows.
        """
        ask = {"value": txid.hex()}
        anywhere = await self.pool.several("/wallet/gettransactionbyid", ask)
        mined = await self.pool.several("/wallet/gettransactioninfobyid", ask)
        solid = await self.pool.several("/walletsolidity/gettransactionbyid", ask)
        in_solid = any(answer for _, answer in solid)
        return Presence(in_solid or any(answer for _, answer in (*anywhere, *mined)), in_solid)

    async def gone(self, txid: bytes, expiration_ms: int) -> bool:
        """Whether a transaction can never be mined any more, so that its payment may be signed anew.

        True only when a quorum of nodes each say that their own solid head is past the expiration and that
        they know nothing of it, and no node says that it knows it. A node checks the expiration against the
        block before, so nothing after such a head can hold it. Silence is never taken for an answer.
        """
        answers = await asyncio.gather(
            *(_outlived(node, txid, expiration_ms) for node in self.pool.nodes), return_exceptions=True
        )
        known = [answer for answer in answers if isinstance(answer, bool)]
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, LucidError):
                raise answer
        return all(known) and len(known) >= self.pool.quorum

    # --- accounts and contracts ---

    async def balance_agreed(self, address: Address) -> int:
        """TRX of an account in solid blocks, in sun; 0 for an account that does not exist."""
        found = await self.pool.agreed(
            "/walletsolidity/getaccount",
            {"address": address.hex()},
            lambda answer: read_int(answer, "balance", 0),
        )
        return int(found)

    async def account(self, address: Address) -> Answer:
        """An account as a node gives it; empty when it does not exist."""
        return await self.pool.any("/wallet/getaccount", {"address": address.hex()})

    async def resources(self, address: Address) -> Resources:
        """What an account can spend before it pays in TRX."""
        return Resources.read(await self.pool.any("/wallet/getaccountresource", {"address": address.hex()}))

    async def parameters_agreed(self) -> ChainParameters:
        """What the chain charges."""
        found = await self.pool.agreed(
            "/wallet/getchainparameters", {}, lambda answer: dict(ChainParameters.read(answer).raw)
        )
        listed = [{"key": name, "value": value} for name, value in found.items()]
        return ChainParameters.read({"chainParameter": listed})

    async def call(self, owner: Address, contract: Address, signature: str, arguments: bytes) -> Called:
        """Run a contract's function without changing anything, on one node.

        Raises
        ------
        CallReverted
            If the contract reverts.
        """
        answer = await self.pool.any(
            "/wallet/triggerconstantcontract", _call_body(owner, contract, signature, arguments), _read_call
        )
        return _read_call(answer)

    async def call_agreed(self, owner: Address, contract: Address, signature: str, arguments: bytes) -> bytes:
        """The output of a contract's function on solid blocks, by a quorum.

        Raises
        ------
        CallReverted
            If the contract reverts.
        """
        found = await self.pool.agreed(
            "/walletsolidity/triggerconstantcontract",
            _call_body(owner, contract, signature, arguments),
            lambda answer: _read_call(answer).output.hex(),
        )
        return bytes.fromhex(found)


async def _outlived(node: Node, txid: bytes, expiration_ms: int) -> bool | None:
    """What one node says: True past and unknown, False known, None not past yet."""
    ask = {"value": txid.hex()}
    solid = BlockRef.read(await node.call("/walletsolidity/getnowblock", {}))
    if solid.timestamp_ms <= expiration_ms:
        return None
    for path in (
        "/wallet/gettransactionbyid",
        "/wallet/gettransactioninfobyid",
        "/walletsolidity/gettransactionbyid",
    ):
        if await node.call(path, ask):
            return False
    return True


def _call_body(owner: Address, contract: Address, signature: str, arguments: bytes) -> Answer:
    return {
        "owner_address": owner.hex(),
        "contract_address": contract.hex(),
        "function_selector": signature,
        "parameter": arguments.hex(),
    }


def _read_call(answer: Answer) -> Called:
    result = answer.get("result", {})
    outputs = answer.get("constant_result", [])
    if not isinstance(result, Mapping) or not isinstance(outputs, list):
        raise MalformedAnswer("The answer to a constant call is malformed")
    output = read_bytes({"output": outputs[0] if outputs else ""}, "output")
    if result.get("result") is not True or result.get("code") or _reverted(answer):
        raise CallReverted(f"The contract reverts: {_reason(output, result)}", output=output.hex()[:1024])
    # `energy_used` contains the penalty of the dynamic energy model already.
    return Called(output, read_int(answer, "energy_used", 0))


def _reverted(answer: Answer) -> bool:
    sent = answer.get("transaction", {})
    results = sent.get("ret", []) if isinstance(sent, Mapping) else []
    return any(isinstance(item, Mapping) and item.get("ret") == "FAILED" for item in results)


def _reason(output: bytes, result: Mapping[str, Any]) -> str:
    """The text of `revert("…")` (selector 08c379a0), or what the node says."""
    if output[:4] == bytes.fromhex("08c379a0") and len(output) >= 68:
        length = int.from_bytes(output[36:68], "big")
        return output[68 : 68 + min(length, 200)].decode("utf-8", "replace")
    said = str(result.get("message", ""))
    try:
        return bytes.fromhex(said).decode("utf-8", "replace")[:200] or "no reason given"
    except ValueError:
        return said[:200]


def _broadcast_code(answer: Answer | Exception) -> str:
    if isinstance(answer, Exception):
        return type(answer).__name__
    if answer.get("result") is True:
        return "SUCCESS"
    return str(answer.get("code", "OTHER_ERROR"))
