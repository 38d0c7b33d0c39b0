"""Transactions that the node builds for its callers to sign."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lucid_tron.codec import contracts as c
from lucid_tron.codec import transaction
from lucid_tron.codec.json import message_from_json
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.contracts.artefacts import chain_entry
from lucid_tron.devnet.api import lies, shapes
from lucid_tron.devnet.api.view import BadRequest, Handler, Json, View, address_in, hex_in, int_in

LIFETIME_MS = 60_000
_ENVELOPE = ("visible", "Permission_id", "extra_data", "fee_limit", "expiration")


def raw_transaction(view: View, order: c.Contract, body: Json) -> tuple[RawTransaction, bytes]:
    """Wrap a contract: it refers to the head block and expires a minute after it."""
    head = view.ledger.head
    memo = str(body.get("extra_data") or "")
    raw = RawTransaction(
        ref_block_bytes=head.id[6:8],
        ref_block_hash=head.id[8:16],
        expiration=head.timestamp + LIFETIME_MS,
        timestamp=view.ledger.now_ms(),
        contracts=(order,),
        fee_limit=int_in(body, "fee_limit", 0),
        data=(memo.encode() if view.visible else hex_in(body, "extra_data")) if memo else b"",
        permission_id=int_in(body, "Permission_id", 0),
    )
    return raw, transaction.encode(raw)


def lied(view: View, shape: Json) -> Json:
    """The same transaction, with a false txID when the node lies."""
    return shape | {"txID": lies.txid(view, shape["txID"])}


def abi_in(given: Any) -> c.Abi:
    """Read an ABI as clients send it: text or JSON, a list or ``{"entrys": […]}``."""
    content = json.loads(given) if isinstance(given, str) and given else given
    entries = content.get("entrys", []) if isinstance(content, dict) else content or []
    return message_from_json(c.Abi, {"entrys": [chain_entry(each) for each in entries]})


def _maker(kind: type[Any]) -> Handler:
    def make(view: View, body: Json) -> Json:
        fields = {name: value for name, value in body.items() if name not in _ENVELOPE}
        order = message_from_json(kind, fields, visible=view.visible)
        return _shown(view, order, body)

    return make


def _shown(view: View, order: c.Contract, body: Json) -> Json:
    raw, encoded = raw_transaction(view, order, body)
    return lied(view, shapes.transaction(view, raw, encoded))


def deploy(view: View, body: Json) -> Json:
    """Build a deployment; constructor arguments follow the bytecode."""
    owner = address_in(body, "owner_address")
    code = hex_in(body, "bytecode") + hex_in(body, "parameter")
    if not code:
        raise BadRequest("bytecode is missing")
    new = c.SmartContract(
        origin_address=owner,
        abi=abi_in(body.get("abi")),
        bytecode=code,
        call_value=int_in(body, "call_value", 0),
        consume_user_resource_percent=int_in(body, "consume_user_resource_percent", 100),
        name=str(body.get("name") or ""),
        origin_energy_limit=int_in(body, "origin_energy_limit", 10_000_000),
    )
    return _shown(view, c.CreateSmartContract(owner, new), body)


_MAKERS: dict[str, Callable[[View, Json], Any]] = {
    "createtransaction": _maker(c.TransferContract),
    "freezebalancev2": _maker(c.FreezeBalanceV2Contract),
    "unfreezebalancev2": _maker(c.UnfreezeBalanceV2Contract),
    "withdrawexpireunfreeze": _maker(c.WithdrawExpireUnfreezeContract),
    "cancelallunfreezev2": _maker(c.CancelAllUnfreezeV2Contract),
    "delegateresource": _maker(c.DelegateResourceContract),
    "undelegateresource": _maker(c.UnDelegateResourceContract),
    "votewitnessaccount": _maker(c.VoteWitnessContract),
    "withdrawbalance": _maker(c.WithdrawBalanceContract),
    "accountpermissionupdate": _maker(c.AccountPermissionUpdateContract),
    "deploycontract": deploy,
}
FULL: dict[str, Handler] = dict(_MAKERS)
