"""Deployed contracts: what they are, and calls that change nothing."""

from __future__ import annotations

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.codec.address import Address
from lucid_tron.codec.json import message_to_json
from lucid_tron.devnet import accounts
from lucid_tron.devnet.api import build, lies, shapes
from lucid_tron.devnet.api.view import (
    BadRequest,
    Handler,
    Json,
    View,
    address_in,
    hex_in,
    int_in,
    without_defaults,
)
from lucid_tron.devnet.evm import machine
from lucid_tron.devnet.evm.host import keccak256
from lucid_tron.devnet.state import Sheet

MAX_CONSTANT_ENERGY = 100_000_000
NOBODY = Address(b"\x41" + bytes(20))


def _smart_contract(view: View, found: accounts.Contract) -> Json:
    code: bytes = view.state.get(("code", found.address)) or b""
    return without_defaults(
        {
            "bytecode": found.bytecode.hex(),
            "consume_user_resource_percent": found.caller_percent,
            "name": found.name,
            "origin_address": view.show(found.origin),
            "abi": message_to_json(found.abi) if found.abi else {},
            "origin_energy_limit": found.origin_energy_limit,
            "contract_address": view.show(found.address),
            "code_hash": keccak256(code).hex(),
            "trx_hash": found.txid.hex(),
        }
    )


def get_contract(view: View, body: Json) -> Json:
    found = accounts.contract(view.state, address_in(body, "value"))
    return _smart_contract(view, found) if found else {}


def get_contract_info(view: View, body: Json) -> Json:
    """The contract, the code that runs, and its dynamic-energy factor."""
    found = accounts.contract(view.state, address_in(body, "value"))
    if found is None:
        return {}
    code: bytes = view.state.get(("code", found.address)) or b""
    return {
        "runtimecode": code.hex(),
        "smart_contract": _smart_contract(view, found),
        "contract_state": without_defaults({"energy_factor": found.energy_factor}),
    }


def order_in(body: Json) -> c.TriggerSmartContract:
    """Read a call: ``function_selector`` with ``parameter``, or ``data``."""
    text = str(body.get("function_selector") or "")
    data = abi.selector(text) + hex_in(body, "parameter") if text else hex_in(body, "data")
    return c.TriggerSmartContract(
        owner_address=address_in(body, "owner_address") if body.get("owner_address") else NOBODY,
        contract_address=address_in(body, "contract_address"),
        call_value=int_in(body, "call_value", 0),
        data=data,
    )


def _dry_run(view: View, body: Json) -> tuple[machine.Outcome, c.Contract] | None:
    sheet = Sheet(view.state)
    context, ledger = view.ledger.context(), view.ledger
    if not body.get("contract_address") and body.get("data"):  # what deploying would cost
        owner = address_in(body, "owner_address")
        new = c.SmartContract(origin_address=owner, bytecode=hex_in(body, "data"))
        outcome = machine.create(
            sheet,
            context,
            txid=bytes(32),
            caller=owner,
            address=Address.of_contract(bytes(32), owner),
            code=new.bytecode,
            value=0,
            energy=MAX_CONSTANT_ENERGY,
        )
        return outcome, c.CreateSmartContract(owner, new)
    order = order_in(body)
    if accounts.contract(view.state, order.contract_address) is None:
        return None
    if order.call_value:
        accounts.credit(sheet, order.owner_address, order.call_value, ledger.head.timestamp)
    outcome = machine.call(
        sheet,
        context,
        txid=bytes(32),
        caller=order.owner_address,
        address=order.contract_address,
        data=order.data,
        value=order.call_value,
        energy=MAX_CONSTANT_ENERGY,
    )
    return outcome, order


def _refused(view: View, code: str, message: str) -> Json:
    return {"result": {"code": code, "message": view.text(message)}}


MISSING = "Contract validate error : Smart contract is not exist."


def trigger_constant(view: View, body: Json) -> Json:
    """Run a call and forget it. A revert is answered with its data and ``ret: FAILED``."""
    run = _dry_run(view, body)
    if run is None:
        return _refused(view, "CONTRACT_VALIDATE_ERROR", MISSING)
    outcome, order = run
    if outcome.result not in ("SUCCESS", "REVERT"):
        return _refused(view, "CONTRACT_EXE_ERROR", f"Contract execute error : {outcome.reason}")
    data = order.data if isinstance(order, c.TriggerSmartContract) else b""
    output = lies.constant_result(view, data, outcome.output)
    result: Json = {"result": True}
    if not outcome.succeeded:
        result["message"] = view.text(outcome.reason)
    raw, encoded = build.raw_transaction(view, order, {})
    shape = shapes.transaction(view, raw, encoded)
    return without_defaults(
        {
            "energy_used": outcome.energy,
            "energy_penalty": outcome.penalty,
            "constant_result": [output.hex()],
            "logs": [shapes.log(view, each) for each in outcome.logs],
        }
    ) | {
        "result": result,
        "transaction": {"ret": [{} if outcome.succeeded else {"ret": "FAILED"}]} | shape,
    }


def estimate_energy(view: View, body: Json) -> Json:
    """The energy a call needs as the chain stands, exactly: java-tron searches and rounds up."""
    run = _dry_run(view, body)
    if run is None:
        return _refused(view, "CONTRACT_VALIDATE_ERROR", MISSING)
    outcome, _ = run
    if not outcome.succeeded:
        return _refused(view, "CONTRACT_EXE_ERROR", f"Contract execute error : {outcome.reason}")
    return {"result": {"result": True}, "energy_required": outcome.energy}


def trigger(view: View, body: Json) -> Json:
    """Build a call for its sender to sign."""
    order = order_in(body)
    if accounts.contract(view.state, order.contract_address) is None:
        return _refused(
            view,
            "CONTRACT_VALIDATE_ERROR",
            "Contract validate error : No contract or not a valid smart contract",
        )
    if not body.get("owner_address"):
        raise BadRequest("owner_address is missing")
    raw, encoded = build.raw_transaction(view, order, body)
    return {
        "result": {"result": True},
        "transaction": build.lied(view, shapes.transaction(view, raw, encoded)),
    }


BOTH: dict[str, Handler] = {
    "triggerconstantcontract": trigger_constant,
    "estimateenergy": estimate_energy,
    "getcontract": get_contract,
    "getcontractinfo": get_contract_info,
}
FULL: dict[str, Handler] = {"triggersmartcontract": trigger}
