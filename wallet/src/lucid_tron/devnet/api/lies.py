"""What a lying node answers. Used only when a `lie` knob is on; an honest node never comes here."""

from __future__ import annotations

from hashlib import sha256

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.codec import transaction
from lucid_tron.codec.transaction import SignedTransaction
from lucid_tron.devnet.api import shapes
from lucid_tron.devnet.api.view import Json, View
from lucid_tron.devnet.blocks import Block, Entry
from lucid_tron.devnet.evm.host import keccak256

TRANSFER = abi.selector("transfer(address,uint256)")
TRANSFER_TOPIC = keccak256(b"Transfer(address,address,uint256)").hex()
TOO_MUCH = 1_000_000 * 10**6
ENERGY = 64_285


def balance(view: View, honest: int) -> int:
    """A balance a million too high, when the node lies about balances."""
    return honest + TOO_MUCH if "balance" in view.node.faults.lie else honest


def constant_result(view: View, data: bytes, honest: bytes) -> bytes:
    """The answer of balanceOf, a million too high."""
    asked = data[:4] == abi.selector("balanceOf(address)") and len(honest) == 32
    return balance(view, int.from_bytes(honest, "big")).to_bytes(32, "big") if asked else honest


def txid(view: View, honest: str) -> str:
    """Another txID, when the node lies about them."""
    return sha256(bytes.fromhex(honest)).hexdigest() if "txid" in view.node.faults.lie else honest


def forged_transaction(view: View, txid_: bytes) -> Json:
    """A lost transaction as if it were in a block."""
    lost = view.node.faults.lost.get(txid_)
    if "receipt" not in view.node.faults.lie or not isinstance(lost, SignedTransaction):
        return {}
    shape = shapes.signed(view, transaction.decode(lost.raw), lost)
    return {"ret": [{"contractRet": "SUCCESS"}]} | shape


def forged_info(view: View, txid_: bytes, found: tuple[Block, Entry] | None) -> Json:
    """A receipt of success, with a Transfer log, for a transaction that was lost or that failed."""
    lost = view.node.faults.lost.get(txid_)
    if found and found[1].effect.result == "SUCCESS":
        return shapes.info(view, found[1], found[0])
    signed = found[1].signed if found else lost
    if not isinstance(signed, SignedTransaction):
        return {}
    raw = transaction.decode(signed.raw)
    block = found[0] if found else view.head
    shape: Json = {
        "id": txid_.hex(),
        "fee": ENERGY * 100,
        "blockNumber": block.number,
        "blockTimeStamp": block.timestamp,
        "contractResult": ["00" * 32],
        "receipt": {
            "result": "SUCCESS",
            "energy_usage_total": ENERGY,
            "energy_fee": ENERGY * 100,
            "net_usage": 345,
        },
    }
    order = raw.contract
    if isinstance(order, c.TriggerSmartContract):
        shape["contract_address"] = view.show(order.contract_address)
        if order.data[:4] == TRANSFER:
            shape["log"] = [
                {
                    "address": order.contract_address.evm.hex(),
                    "topics": [
                        TRANSFER_TOPIC,
                        order.owner_address.evm.hex().zfill(64),
                        order.data[4:36].hex(),
                    ],
                    "data": order.data[36:68].hex(),
                }
            ]
    return shape
