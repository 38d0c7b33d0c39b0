"""What nodes tell about the chain, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lucid_tron.client.errors import MalformedAnswer, MissingChainParameter
from lucid_tron.codec.address import Address


def read_int(answer: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """An integer of an answer.

    Raises
    ------
    MalformedAnswer
        If it is not one, or missing without a default.
    """
    value = answer.get(name, default)
    if type(value) is not int:
        raise MalformedAnswer(f"{name} of an answer is not an integer")
    return value


def read_bytes(answer: Mapping[str, Any], name: str, length: int | None = None) -> bytes:
    """Bytes of an answer, given in hexadecimal; empty when missing and no length is asked for.

    Raises
    ------
    MalformedAnswer
        If they are not hexadecimal or of another length.
    """
    try:
        value = bytes.fromhex(answer.get(name, ""))
    except (TypeError, ValueError) as error:
        raise MalformedAnswer(f"{name} of an answer is not hexadecimal") from error
    if length is not None and len(value) != length:
        raise MalformedAnswer(f"{name} of an answer has {len(value)} bytes, not {length}")
    return value


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block: its number, its 32-byte id (which begins with the number), its time in milliseconds UTC."""

    number: int
    id: bytes
    timestamp_ms: int

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> BlockRef:
        """From a block as nodes give it.

        Raises
        ------
        MalformedAnswer
            If a part is missing or the id is not that of a block with this number.
        """
        header = answer.get("block_header", {})
        raw = header.get("raw_data", {}) if isinstance(header, Mapping) else {}
        if not isinstance(raw, Mapping):
            raise MalformedAnswer("The header of a block is not an object")
        number, time = read_int(raw, "number", 0), read_int(raw, "timestamp", 0)
        block = cls(number, read_bytes(answer, "blockID", 32), time)
        if block.id[:8] != block.number.to_bytes(8, "big"):
            raise MalformedAnswer(f"Block {block.number} has the id of another: {block.id.hex()}")
        return block

    @property
    def tapos(self) -> tuple[bytes, bytes]:
        """`ref_block_bytes` and `ref_block_hash` of a transaction that stands on this block."""
        return self.id[6:8], self.id[8:16]


@dataclass(frozen=True, slots=True)
class Log:
    """An event a contract emitted. `topics` are 32 bytes each."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Log:
        """From a log as nodes give it: the address has 20 bytes there.

        Raises
        ------
        MalformedAnswer
            If a part is malformed.
        """
        topics = answer.get("topics", [])
        if not isinstance(topics, list):
            raise MalformedAnswer("The topics of a log are not a list")
        return cls(
            Address.from_evm(read_bytes(answer, "address", 20)),
            tuple(read_bytes({"topic": topic}, "topic", 32) for topic in topics),
            read_bytes(answer, "data"),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction in a block. Fees are in sun.

    `succeeded` is true only when the chain says so: no result at all means success for contracts of the
    system and nothing for a call, so calls must say SUCCESS.
    """

    txid: bytes
    block_number: int
    block_timestamp_ms: int
    result: str
    succeeded: bool
    fee: int
    energy_used: int
    logs: tuple[Log, ...]
    message: str

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Receipt:
        """From `gettransactioninfobyid`.

        Raises
        ------
        MalformedAnswer
            If a part is malformed.
        """
        receipt = answer.get("receipt", {})
        logs = answer.get("log", [])
        if not isinstance(receipt, Mapping) or not isinstance(logs, list):
            raise MalformedAnswer("The receipt of a transaction is malformed")
        result = str(receipt.get("result", ""))
        good = ("SUCCESS",) if answer.get("contract_address") else ("", "SUCCESS")
        return cls(
            txid=read_bytes(answer, "id", 32),
            block_number=read_int(answer, "blockNumber"),
            block_timestamp_ms=read_int(answer, "blockTimeStamp", 0),
            result=result,
            succeeded=answer.get("result") != "FAILED" and result in good,
            fee=read_int(answer, "fee", 0),
            energy_used=read_int(receipt, "energy_usage_total", 0),
            logs=tuple(Log.read(log) for log in logs if isinstance(log, Mapping)),
            message=read_bytes(answer, "resMessage").decode("utf-8", "replace")[:500],
        )


@dataclass(frozen=True, slots=True)
class ChainParameters:
    """What the chain charges, as voted by its representatives. Sun unless said otherwise."""

    energy_price: int
    bandwidth_price: int
    max_fee_limit: int
    memo_fee: int
    raw: Mapping[str, int]

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> ChainParameters:
        """From `getchainparameters`.

        Raises
        ------
        MissingChainParameter
            If one that fees depend on is not stated.
        """
        listed = answer.get("chainParameter", [])
        found: dict[str, int] = {
            str(item["key"]): item.get("value", 0)
            for item in (listed if isinstance(listed, list) else [])
            if isinstance(item, Mapping) and "key" in item and type(item.get("value", 0)) is int
        }

        def stated(name: str) -> int:
            if found.get(name, -1) < 0:
                raise MissingChainParameter(f"The node does not state {name}", parameter=name)
            return found[name]

        return cls(
            stated("getEnergyFee"),
            stated("getTransactionFee"),
            stated("getMaxFeeLimit"),
            found.get("getMemoFee", 0),
            found,
        )


@dataclass(frozen=True, slots=True)
class Resources:
    """What an account can spend before it pays in TRX: units of energy and bytes of bandwidth left."""

    energy: int
    bandwidth: int

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Resources:
        """From `getaccountresource`.

        Raises
        ------
        MalformedAnswer
            If a number is none.
        """
        energy = read_int(answer, "EnergyLimit", 0) - read_int(answer, "EnergyUsed", 0)
        staked = read_int(answer, "NetLimit", 0) - read_int(answer, "NetUsed", 0)
        free = read_int(answer, "freeNetLimit", 0) - read_int(answer, "freeNetUsed", 0)
        return cls(max(0, energy), max(0, staked) + max(0, free))


@dataclass(frozen=True, slots=True)
class Called:
    """What a contract answers to a call that changes nothing: its output and the energy it took."""

    output: bytes
    energy: int


Outcome = Literal["accepted", "already_sent", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What became of sending bytes.

    accepted      a node took it; it may still be lost before it is mined
    already_sent  a node has it already (DUP_TRANSACTION), which is success
    refused       every node refuses it now, for the reason in `codes`; until it expires it may yet be mined
    unknown       anything else: it may have been taken. Only the same bytes may ever be sent again.
    """

    outcome: Outcome
    codes: Mapping[str, str]
