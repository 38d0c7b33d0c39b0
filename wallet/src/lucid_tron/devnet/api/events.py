"""TronGrid's v1 API: contract events and TRC-20 transfers, newest first unless asked otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lucid_tron import abi
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import Entry as AbiEntry
from lucid_tron.codec.contracts import EntryType
from lucid_tron.devnet import accounts
from lucid_tron.devnet.api.view import BadRequest, Json, View, int_in
from lucid_tron.devnet.blocks import Block, Entry
from lucid_tron.devnet.evm.host import keccak256
from lucid_tron.devnet.evm.machine import Log

MAX_LIMIT, DEFAULT_LIMIT = 200, 20


@dataclass(frozen=True, slots=True)
class Seen:
    """A log with its place."""

    block: Block
    entry: Entry
    index: int
    log: Log


def _walk(view: View, *, ascending: bool, low: int = 0, high: int | None = None) -> Iterator[Seen]:
    top = view.head.number if high is None else min(high, view.head.number)
    numbers = range(low, top + 1) if ascending else range(top, low - 1, -1)
    for number in numbers:
        block = view.ledger.blocks[number]
        found = [
            Seen(block, entry, index, log)
            for entry in block.entries
            for index, log in enumerate(entry.effect.logs)
        ]
        yield from found if ascending else reversed(found)


def _abi_event(view: View, log: Log) -> AbiEntry | None:
    there = accounts.contract(view.state, b"\x41" + log.address)
    if there is None or there.abi is None or not log.topics:
        return None
    for each in there.abi.entrys:
        if each.type is EntryType.Event and keccak256(_signature(each).encode()) == log.topics[0]:
            return each
    return None


def _signature(event: AbiEntry) -> str:
    return f"{event.name}({','.join(each.type for each in event.inputs)})"


def _text(value: Any) -> Any:
    if isinstance(value, Address):
        return "0x" + value.evm.hex()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return str(value).lower()
    return [_text(each) for each in value] if isinstance(value, list) else str(value)


def _is_hashed(kind: str) -> bool:
    """Whether an indexed value of this type is only there as its hash."""
    return kind in ("string", "bytes") or kind.endswith("]") or kind.startswith("tuple")


def _decoded(event: AbiEntry, log: Log) -> tuple[Json, Json]:
    plain = iter(abi.decode([each.type for each in event.inputs if not each.indexed], log.data))
    topics = iter(log.topics[1:])
    result: Json = {}
    for position, each in enumerate(event.inputs):
        if each.indexed:
            topic = next(topics)
            value = topic if _is_hashed(each.type) else abi.decode([each.type], topic)[0]
        else:
            value = next(plain)
        result[str(position)] = result[each.name or str(position)] = _text(value)
    return result, {each.name or str(i): each.type for i, each in enumerate(event.inputs)}


def event_shape(view: View, seen: Seen) -> Json:
    """One event as TronGrid shows it; addresses in `result` have 20 bytes."""
    event = _abi_event(view, seen.log)
    result, types = _decoded(event, seen.log) if event else ({}, {})
    declared = ", ".join(
        f"{each.type} {'indexed ' if each.indexed else ''}{each.name}"
        for each in (event.inputs if event else ())
    )
    shape: Json = {
        "block_number": seen.block.number,
        "block_timestamp": seen.block.timestamp,
        "caller_contract_address": Address.from_evm(seen.log.address).base58,
        "contract_address": Address.from_evm(seen.log.address).base58,
        "event_index": seen.index,
        "event_name": event.name if event else "",
        "result": result,
        "result_type": types,
        "event": f"{event.name}({declared})" if event else "",
        "transaction_id": seen.entry.txid.hex(),
    }
    if seen.block.number > view.solid_height():
        shape["_unconfirmed"] = True
    return shape


def _flag(query: Json, name: str) -> bool:
    return str(query.get(name, "")).lower() == "true"


def _page(view: View, query: Json, found: Iterator[Json]) -> Json:
    limit = int_in(query, "limit", DEFAULT_LIMIT)
    if not 0 < limit <= MAX_LIMIT:
        raise BadRequest(f"limit is a number from 1 to {MAX_LIMIT}")
    start = int_in(query, "fingerprint", 0) if query.get("fingerprint") else 0
    rows: list[Json] = []
    more = False
    for position, row in enumerate(found):
        if position < start:
            continue
        if len(rows) == limit:
            more = True
            break
        rows.append(row)
    meta: Json = {"at": view.ledger.now_ms(), "page_size": len(rows)}
    if more:
        meta["fingerprint"] = str(start + limit)
    return {"data": rows, "success": True, "meta": meta}


def _wanted(view: View, query: Json, seen: Seen) -> bool:
    confirmed = seen.block.number <= view.solid_height()
    if (_flag(query, "only_confirmed") and not confirmed) or (_flag(query, "only_unconfirmed") and confirmed):
        return False
    if query.get("block_number") and seen.block.number != int_in(query, "block_number"):
        return False
    low, high = int_in(query, "min_block_timestamp", 0), int_in(query, "max_block_timestamp", 1 << 62)
    return low <= seen.block.timestamp <= high


def _ascending(query: Json) -> bool:
    return str(query.get("order_by", "")).endswith(",asc")


def of_contract(view: View, query: Json, address: str) -> Json:
    """GET /v1/contracts/{address}/events"""
    body = Address.parse(address).evm

    def rows() -> Iterator[Json]:
        for seen in _walk(view, ascending=_ascending(query)):
            if seen.log.address == body and _wanted(view, query, seen):
                shape = event_shape(view, seen)
                if query.get("event_name") in (None, "", shape["event_name"]):
                    yield shape

    return _page(view, query, rows())


def of_transaction(view: View, query: Json, txid: str) -> Json:
    """GET /v1/transactions/{txid}/events"""
    found = view.find(bytes.fromhex(txid))
    if found is None:
        return _page(view, query, iter(()))
    block, entry = found
    seen = [Seen(block, entry, index, log) for index, log in enumerate(entry.effect.logs)]
    return _page(view, query, (event_shape(view, each) for each in seen if _wanted(view, query, each)))


def of_block(view: View, query: Json, number: str) -> Json:
    """GET /v1/blocks/{number|latest}/events"""
    height = view.head.number if number == "latest" else int_in({"number": number}, "number")
    found = _walk(view, ascending=True, low=height, high=height)
    return _page(view, query, (event_shape(view, each) for each in found if _wanted(view, query, each)))


def trc20_history(view: View, query: Json, address: str) -> Json:
    """GET /v1/accounts/{address}/transactions/trc20"""
    holder = Address.parse(address).evm
    token = Address.parse(str(query["contract_address"])).evm if query.get("contract_address") else None

    def rows() -> Iterator[Json]:
        for seen in _walk(view, ascending=_ascending(query)):
            shape = _transfer(view, seen)
            if shape is None or not _wanted(view, query, seen):
                continue
            source, target = seen.log.topics[1][12:], seen.log.topics[2][12:]
            if token not in (None, seen.log.address):
                continue
            if (holder == target and not _flag(query, "only_from")) or (
                holder == source and not _flag(query, "only_to")
            ):
                yield shape

    return _page(view, query, rows())


def _transfer(view: View, seen: Seen) -> Json | None:
    event = _abi_event(view, seen.log)
    if event is None or event.name not in ("Transfer", "Approval") or len(seen.log.topics) != 3:
        return None
    there = accounts.contract(view.state, b"\x41" + seen.log.address)
    return {
        "transaction_id": seen.entry.txid.hex(),
        "token_info": _token_info(view, seen.log.address) | ({"name": there.name} if there else {}),
        "block_timestamp": seen.block.timestamp,
        "from": Address.from_evm(seen.log.topics[1][12:]).base58,
        "to": Address.from_evm(seen.log.topics[2][12:]).base58,
        "type": event.name,
        "value": str(int.from_bytes(seen.log.data[:32], "big")),
    }


def _token_info(view: View, address: bytes) -> Json:
    full = Address.from_evm(address)
    usdt = full == view.node.network.usdt
    return {"symbol": "USDT" if usdt else "", "address": full.base58, "decimals": 6 if usdt else 0}
