"""Taking signed transactions, and saying who has signed."""

from __future__ import annotations

from lucid_tron.codec import transaction
from lucid_tron.codec.json import message_to_json, signed_from_json
from lucid_tron.codec.transaction import SignedTransaction
from lucid_tron.devnet import accounts
from lucid_tron.devnet.api import lies, shapes
from lucid_tron.devnet.api.accounts import permission_shape
from lucid_tron.devnet.api.build import abi_in
from lucid_tron.devnet.api.view import Handler, Json, View, hex_in
from lucid_tron.devnet.ledger import Refused
from lucid_tron.devnet.signatures import BadSignature, Weight, permission_for, weigh


class AnswerLost(Exception):
    """The connection ends before the answer: the client cannot know what happened."""


def signed_in(body: Json) -> SignedTransaction:
    """Read a transaction from JSON. Like java-tron it believes `raw_data` alone and ignores other fields.

    Raises
    ------
    CodecError
        If `raw_data` is no transaction.
    """
    try:
        new = body["raw_data"]["contract"][0]["parameter"]["value"]["new_contract"]
        new["abi"] = message_to_json(abi_in(new.get("abi")))
    except (KeyError, IndexError, TypeError):
        pass  # no deployment
    kept = {name: body[name] for name in ("visible", "raw_data", "signature") if name in body}
    return signed_from_json(kept)


def broadcast(view: View, body: Json) -> Json:
    """Take a transaction. ``result: true`` says it was taken, not that it is in a block."""
    return _take(view, signed_in(body))


def broadcast_hex(view: View, body: Json) -> Json:
    """The same, from the transaction's bytes."""
    return _take(view, transaction.decode_signed(hex_in(body, "transaction")))


def _refusal(view: View, code: str, txid: str, message: str) -> Json:
    return {"code": code, "txid": txid, "message": view.text(message)}


def _take(view: View, signed: SignedTransaction) -> Json:
    faults, txid = view.node.faults, signed.txid.hex()
    if faults.take("busy"):
        return _refusal(view, "SERVER_BUSY", txid, "Server busy.")
    if faults.take("lose"):
        faults.lost[signed.txid] = signed
        return {"result": True, "txid": txid}
    try:
        view.ledger.broadcast(signed)
    except Refused as refused:
        return _refusal(view, refused.code, txid, refused.message)
    if view.node.instant:
        view.ledger.seal()
    if faults.take("mute"):
        raise AnswerLost
    if faults.take("duplicate"):
        return _refusal(view, "DUP_TRANSACTION_ERROR", txid, "Dup transaction.")
    return {"result": True, "txid": lies.txid(view, txid)}


def _weight(view: View, body: Json) -> tuple[SignedTransaction, Json, Weight | None, Json]:
    signed = signed_in(body)
    raw = transaction.decode(signed.raw)
    shape = shapes.signed(view, raw, signed)
    shape["txID"] = lies.txid(view, shape["txID"])
    wrapped = {"result": {"result": True}, "txid": shape["txID"], "transaction": shape}
    if accounts.account(view.state, raw.contract.owner_address) is None:
        return signed, wrapped, None, {"code": "OTHER_ERROR", "message": "Account does not exist!"}
    try:
        return signed, wrapped, weigh(view.state, raw, signed), {}
    except BadSignature as error:
        return signed, wrapped, None, {"code": error.code, "message": str(error)}


def sign_weight(view: View, body: Json) -> Json:
    """Who has signed and whether it is enough. tronpy takes its txID from here."""
    signed, wrapped, weight, complaint = _weight(view, body)
    if weight is None:
        return {"result": complaint, "transaction": wrapped}
    raw = transaction.decode(signed.raw)
    shape: Json = {
        "result": {} if weight.enough else {"code": "NOT_ENOUGH_PERMISSION"},
        "permission": permission_shape(view, permission_for(view.state, raw)),
        "transaction": wrapped,
    }
    if weight.approved:
        shape["approved_list"] = [view.show(each) for each in weight.approved]
        shape["current_weight"] = weight.current
    return shape


def approved_list(view: View, body: Json) -> Json:
    """Who has signed."""
    _, wrapped, weight, complaint = _weight(view, body)
    if weight is None:
        return {"result": complaint, "transaction": wrapped}
    return {
        "result": {},
        "approved_list": [view.show(each) for each in weight.approved],
        "transaction": wrapped,
    }


FULL: dict[str, Handler] = {
    "broadcasttransaction": broadcast,
    "broadcasthex": broadcast_hex,
    "getsignweight": sign_weight,
    "getapprovedlist": approved_list,
}
