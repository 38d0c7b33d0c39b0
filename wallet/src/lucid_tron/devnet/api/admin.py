"""The operator's hand, under /admin: time, blocks, faults, parameters, money from the faucet."""

from __future__ import annotations

from typing import Any

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.devnet.accounts import SUN
from lucid_tron.devnet.api.view import BadRequest, Handler, Json, View, address_in, int_in
from lucid_tron.devnet.faults import UnknownFault
from lucid_tron.devnet.genesis import set_energy_factor, sign
from lucid_tron.devnet.params import UnknownParameter

FEE_LIMIT = 1_000 * SUN
MAX_BLOCKS = 10_000
MAX_ADVANCE_S = 10 * 365 * 86_400


def show(view: View, _: Json) -> Json:
    """Where the chain stands, and this node's faults."""
    network, ledger = view.node.network, view.ledger
    return {
        "head": ledger.head.number,
        "head_id": ledger.head.id.hex(),
        "solid": ledger.solid.number,
        "solid_lag": ledger.solid_lag,
        "now_ms": ledger.now_ms(),
        "pending": len(ledger.pending()),
        "chain_id": ledger.chain_id,
        "usdt": network.usdt.base58,
        "faucet": network.faucet_address.base58,
        "faults": view.node.faults.shown(),
    }


def mine(view: View, body: Json) -> Json:
    """Seal ``blocks`` blocks now; what waits goes into the first."""
    count = int_in(body, "blocks", 1)
    if not 0 < count <= MAX_BLOCKS:
        raise BadRequest(f"blocks is a number from 1 to {MAX_BLOCKS}")
    for _ in range(count):
        view.ledger.seal()
    return show(view, body)


def advance(view: View, body: Json) -> Json:
    """Let ``seconds`` pass at once and seal a block at the new time."""
    seconds = int_in(body, "seconds")
    if not 0 < seconds <= MAX_ADVANCE_S:
        raise BadRequest(f"seconds is a number from 1 to {MAX_ADVANCE_S}")
    view.ledger.advance(seconds * 1000)
    return show(view, body)


def reorganise(view: View, body: Json) -> Json:
    """Replace the newest ``blocks`` blocks; ``transactions`` is "again", "later" or "lost"."""
    what = str(body.get("transactions") or "again")
    if what not in ("again", "later", "lost"):
        raise BadRequest('transactions is "again", "later" or "lost"')
    gone = view.ledger.reorganise(int_in(body, "blocks", 1), lose=what == "lost", later=what == "later")
    return show(view, body) | {"transactions": [each.hex() for each in gone]}


def faults(view: View, body: Json) -> Json:
    """Turn this node's knobs."""
    try:
        view.node.faults.change(body)
    except UnknownFault as error:
        raise BadRequest(str(error)) from None
    return show(view, body)


def parameters(view: View, body: Json) -> Json:
    """Change chain parameters by name; also ``solid_lag`` (blocks) and ``unfreeze_delay_ms``."""
    changes: dict[str, Any] = dict(body)
    ledger = view.ledger
    for name in changes:
        int_in(changes, name)
    if "solid_lag" in changes:
        ledger.solid_lag = max(0, int_in(changes, "solid_lag"))
        del changes["solid_lag"]
    if "unfreeze_delay_ms" in changes:
        ledger.parameters.unfreeze_delay_ms = int_in(changes, "unfreeze_delay_ms")
        del changes["unfreeze_delay_ms"]
    try:
        for name in changes:
            ledger.parameters.change(name, int_in(changes, name))
    except UnknownParameter as error:
        raise BadRequest(f"there is no chain parameter {error}") from None
    return show(view, body)


def energy_factor(view: View, body: Json) -> Json:
    """Set a contract's dynamic-energy surcharge (``factor``, ten-thousandths)."""
    factor = int_in(body, "factor")
    if factor < 0:
        raise BadRequest("factor is a number from 0 up")
    try:
        set_energy_factor(view.ledger, address_in(body, "contract"), factor)
    except KeyError as error:
        raise BadRequest(f"there is no contract {error}") from None
    return show(view, body)


def faucet(view: View, body: Json) -> Json:
    """Send ``trx`` (sun) and ``usdt`` (millionths) to ``address``, in the open block."""
    target = address_in(body, "address")
    network, ledger = view.node.network, view.ledger
    source = network.faucet_address
    sent = []
    if amount := int_in(body, "trx", 0):
        order = c.TransferContract(source, target, amount)
        sent.append(ledger.broadcast(sign(ledger, order, network.faucet)).hex())
    if amount := int_in(body, "usdt", 0):
        data = abi.encode_call("transfer(address,uint256)", target, amount)
        call = c.TriggerSmartContract(source, network.usdt, data=data)
        sent.append(ledger.broadcast(sign(ledger, call, network.faucet, fee_limit=FEE_LIMIT)).hex())
    if view.node.instant:
        ledger.seal()
    return {"transactions": sent}


READ: dict[str, Handler] = {"state": show}
WRITE: dict[str, Handler] = {
    "mine": mine,
    "advance": advance,
    "reorg": reorganise,
    "faults": faults,
    "parameters": parameters,
    "energy-factor": energy_factor,
    "faucet": faucet,
}
