"""Blocks, sealed transactions, and what a node says of itself and of the network."""

from __future__ import annotations

from lucid_tron.devnet.api import lies, shapes
from lucid_tron.devnet.api.view import BadRequest, Handler, Json, View, hex_in, int_in, without_defaults
from lucid_tron.devnet.blocks import Block

MAX_RANGE = 100


def _block_at(view: View, number: int) -> Block | None:
    return view.ledger.blocks[number] if 0 <= number <= view.head.number else None


def _shown(view: View, sealed: Block | None) -> Json:
    return shapes.block(view, sealed) if sealed else {}


def now_block(view: View, _: Json) -> Json:
    return shapes.block(view, view.head)


def get_block(view: View, body: Json) -> Json:
    """By number or id; the head without either. Transactions only with ``detail``."""
    wanted = str(body.get("id_or_num") or "")
    detail = str(body.get("detail", "")).lower() == "true"
    if not wanted:
        return shapes.block(view, view.head, detail=detail)
    found = (
        view.ledger.block_by_id(hex_in(body, "id_or_num"))
        if len(wanted) == 64
        else _block_at(view, int_in(body, "id_or_num"))
    )
    return shapes.block(view, found, detail=detail) if found and found.number <= view.head.number else {}


def block_by_number(view: View, body: Json) -> Json:
    return _shown(view, _block_at(view, int_in(body, "num", 0)))


def block_by_id(view: View, body: Json) -> Json:
    found = view.ledger.block_by_id(hex_in(body, "value"))
    return _shown(view, found if found and found.number <= view.head.number else None)


def blocks_in_range(view: View, body: Json) -> Json:
    first, end = int_in(body, "startNum", 0), int_in(body, "endNum", 0)
    if not 0 <= first < end or end - first > MAX_RANGE:
        return {}
    found = [shapes.block(view, each) for number in range(first, end) if (each := _block_at(view, number))]
    return {"block": found} if found else {}


def latest_blocks(view: View, body: Json) -> Json:
    count = int_in(body, "num", 1)
    if not 0 < count <= MAX_RANGE:
        return {}
    first = max(0, view.head.number - count + 1)
    return {"block": [_shown(view, _block_at(view, each)) for each in range(first, view.head.number + 1)]}


def count_in_block(view: View, body: Json) -> Json:
    found = _block_at(view, int_in(body, "num", 0))
    return {"count": len(found.entries) if found else -1}


def infos_of_block(view: View, body: Json) -> list[Json]:
    found = _block_at(view, int_in(body, "num", 0))
    return [shapes.info(view, entry, found) for entry in found.entries] if found else []


def transaction_by_id(view: View, body: Json) -> Json:
    """A full node also knows what waits to be sealed."""
    txid = hex_in(body, "value")
    found = view.find(txid)
    if found:
        return shapes.carried_out(view, found[1])
    if not view.solid:
        for entry in view.ledger.pending():
            if entry.txid == txid:
                return shapes.carried_out(view, entry)
    return lies.forged_transaction(view, txid)


def info_by_id(view: View, body: Json) -> Json:
    txid = hex_in(body, "value")
    found = view.find(txid)
    if "receipt" in view.node.faults.lie:
        return lies.forged_info(view, txid, found)
    return shapes.info(view, found[1], found[0]) if found else {}


def pending_transaction(view: View, body: Json) -> Json:
    txid = hex_in(body, "value")
    return next((shapes.carried_out(view, each) for each in view.ledger.pending() if each.txid == txid), {})


def pending_list(view: View, _: Json) -> Json:
    return {"txId": [each.txid.hex() for each in view.ledger.pending()]}


def pending_size(view: View, _: Json) -> Json:
    return {"pendingTransactionSize": len(view.ledger.pending())}


def node_info(view: View, _: Json) -> Json:
    ledger = view.ledger
    solid = ledger.blocks[view.solid_height()]
    return {
        "block": f"Num:{ledger.head.number},ID:{ledger.head.id.hex()}",
        "solidityBlock": f"Num:{solid.number},ID:{solid.id.hex()}",
        "beginSyncNum": solid.number,
        "currentConnectCount": 0,
        "activeConnectCount": 0,
        "peerList": [],
        "configNodeInfo": {"codeVersion": "lucid-tron-devnet", "p2pVersion": "0"},
    }


def chain_parameters(view: View, _: Json) -> Json:
    values = view.ledger.parameters.values
    return {"chainParameter": [without_defaults({"key": key, "value": values[key]}) for key in values]}


def energy_prices(view: View, _: Json) -> Json:
    return {"prices": f"0:{view.ledger.parameters['getEnergyFee']}"}


def bandwidth_prices(view: View, _: Json) -> Json:
    return {"prices": f"0:{view.ledger.parameters['getTransactionFee']}"}


def memo_prices(view: View, _: Json) -> Json:
    return {"prices": f"0:{view.ledger.parameters['getMemoFee']}"}


def next_maintenance(view: View, _: Json) -> Json:
    interval = view.ledger.parameters["getMaintenanceTimeInterval"]
    return {"num": (view.head.timestamp // interval + 1) * interval}


def burnt(view: View, _: Json) -> Json:
    return {"burnTrxAmount": view.state.get(("burnt",)) or 0}


def list_nodes(_view: View, _: Json) -> Json:
    return {"nodes": []}


def refuse_trc10(_view: View, _: Json) -> Json:
    raise BadRequest("TRC-10 tokens are not part of this development network")


BOTH: dict[str, Handler] = {
    "getnowblock": now_block,
    "getblock": get_block,
    "getblockbynum": block_by_number,
    "getblockbyid": block_by_id,
    "getblockbylimitnext": blocks_in_range,
    "getblockbylatestnum": latest_blocks,
    "gettransactioncountbyblocknum": count_in_block,
    "gettransactioninfobyblocknum": infos_of_block,
    "gettransactionbyid": transaction_by_id,
    "gettransactioninfobyid": info_by_id,
    "getenergyprices": energy_prices,
    "getbandwidthprices": bandwidth_prices,
    "getmemofee": memo_prices,
    "getburntrx": burnt,
    "getnodeinfo": node_info,
    "getassetissuelist": refuse_trc10,
}
FULL: dict[str, Handler] = {
    "gettransactionfrompending": pending_transaction,
    "gettransactionlistfrompending": pending_list,
    "getpendingsize": pending_size,
    "getchainparameters": chain_parameters,
    "getnextmaintenancetime": next_maintenance,
    "listnodes": list_nodes,
}
