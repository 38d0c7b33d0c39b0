"""Blocks, transactions and receipts as TRON's JSON."""

from __future__ import annotations

from hashlib import sha256

from lucid_tron.codec.json import raw_to_json
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction, txid
from lucid_tron.devnet.actuators import Effect
from lucid_tron.devnet.api.view import Json, View, without_defaults
from lucid_tron.devnet.blocks import Block, Entry
from lucid_tron.devnet.evm.machine import Log


def transaction(view: View, raw: RawTransaction, encoded: bytes, signatures: tuple[bytes, ...] = ()) -> Json:
    """A transaction without a result, as nodes build and take it."""
    shape: Json = {
        "visible": view.visible,
        "txID": txid(encoded).hex(),
        "raw_data": raw_to_json(raw, visible=view.visible),
        "raw_data_hex": encoded.hex(),
    }
    if signatures:
        shape["signature"] = [each.hex() for each in signatures]
    return shape


def carried_out(view: View, entry: Entry) -> Json:
    """A transaction with its result, as it stands in a block."""
    return {
        "ret": [{"contractRet": entry.contract_result}],
        "signature": [each.hex() for each in entry.signed.signatures],
        "txID": entry.txid.hex(),
        "raw_data": raw_to_json(entry.raw, visible=view.visible),
        "raw_data_hex": entry.signed.raw.hex(),
    }


def block(view: View, sealed: Block, *, detail: bool = True) -> Json:
    shape: Json = {
        "blockID": sealed.id.hex(),
        "block_header": {
            "raw_data": without_defaults(
                {
                    "number": sealed.number,
                    "txTrieRoot": sealed.tx_root.hex(),
                    "witness_address": view.show(sealed.witness),
                    "parentHash": sealed.parent.hex(),
                    "version": 31,
                    "timestamp": sealed.timestamp,
                }
            ),
            "witness_signature": sealed.signature.hex(),
        },
    }
    if detail and sealed.entries:
        shape["transactions"] = [carried_out(view, entry) for entry in sealed.entries]
    return shape


def log(view: View, entry: Log) -> Json:
    """An event; the address has 20 bytes here, also in base58check, as in java-tron."""
    return without_defaults(
        {
            "address": base58check(entry.address) if view.visible else entry.address.hex(),
            "topics": [each.hex() for each in entry.topics],
            "data": entry.data.hex(),
        }
    )


def receipt(effect: Effect, net_usage: int, net_fee: int) -> Json:
    return without_defaults(
        {
            "energy_usage": effect.energy_staked,
            "energy_fee": effect.energy_fee,
            "origin_energy_usage": effect.energy_origin,
            "energy_usage_total": effect.energy_total,
            "net_usage": net_usage,
            "net_fee": net_fee,
            "result": effect.result if effect.vm else "",
            "energy_penalty_total": effect.energy_penalty,
        }
    )


def info(view: View, entry: Entry, sealed: Block) -> Json:
    """What gettransactioninfobyid answers. A failed run has ``result: FAILED`` and says why."""
    effect = entry.effect
    failed = effect.vm and effect.result != "SUCCESS"
    return without_defaults(
        {
            "id": entry.txid.hex(),
            "fee": entry.fee,
            "blockNumber": sealed.number,
            "blockTimeStamp": sealed.timestamp,
            "contractResult": [effect.output.hex()],
            "contract_address": view.show(effect.contract_address) if effect.contract_address else "",
            "receipt": receipt(effect, entry.net_usage, entry.net_fee),
            "log": [log(view, each) for each in effect.logs],
            "result": "FAILED" if failed else "",
            "resMessage": view.text(effect.reason) if failed else "",
        }
        | effect.extra
    )


def base58check(raw: bytes) -> str:
    """Any bytes as base58 with a checksum. `Address` takes 21 only."""
    digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    whole = raw + sha256(sha256(raw).digest()).digest()[:4]
    number, text = int.from_bytes(whole, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = digits[digit] + text
    return "1" * (len(whole) - len(whole.lstrip(b"\x00"))) + text


def signed(view: View, raw: RawTransaction, given: SignedTransaction) -> Json:
    return transaction(view, raw, given.raw, given.signatures)
