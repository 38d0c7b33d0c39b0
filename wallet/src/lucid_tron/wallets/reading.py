"""What a transaction spends, read from its own bytes: never from what the caller says of it."""

from __future__ import annotations

from lucid_tron import abi
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import (
    AccountPermissionUpdateContract,
    CreateSmartContract,
    TransferContract,
    TriggerSmartContract,
)
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.wallets.errors import CannotSign
from lucid_tron.wallets.models import TRX

# Token functions that move or let move: where their amount stands among the arguments.
_AMOUNTS = {
    abi.selector("transfer(address,uint256)"): ("address", "uint256"),
    abi.selector("approve(address,uint256)"): ("address", "uint256"),
    abi.selector("increaseApproval(address,uint256)"): ("address", "uint256"),
    abi.selector("transferFrom(address,address,uint256)"): ("address", "address", "uint256"),
}

# Calls of the KYC router that move nothing: an attestation brought, a standing revoked.
_MOVE_NOTHING = {
    abi.selector("attest((address,uint8,uint64,uint64,uint256,address),uint8,bytes32,bytes32)"): 9,
    abi.selector("revoke(address,uint64)"): 2,
}

_PAYOUTS = "(bytes32,(bytes32,address,uint256)[])"
_PAY_BATCH = abi.selector("payBatch" + _PAYOUTS)


def spends(raw: RawTransaction) -> dict[str, int]:
    """Amounts by asset: "TRX" in sun, a token's address in its units, a router's in the units it pays out.

    Staking moves nothing out.

    Raises
    ------
    CannotSign
        If it is a call whose effect cannot be read, or changes who may sign for the account.
    """
    contract = raw.contract
    match contract:
        case TransferContract(amount=amount):
            return {TRX: amount}
        case TriggerSmartContract():
            return _of_call(contract)
        case CreateSmartContract(new_contract=new, call_token_value=tokens):
            if tokens:
                raise CannotSign("A deployment that sends TRC-10 tokens is not signed")
            return {TRX: new.call_value} if new.call_value else {}
        case AccountPermissionUpdateContract():
            raise CannotSign("Permissions are changed in the key ceremony, not by a service")
    return {}


def _of_call(call: TriggerSmartContract) -> dict[str, int]:
    if call.data[:4] == _PAY_BATCH and not (call.call_value or call.call_token_value or call.token_id):
        return {str(call.contract_address): sum(amount for _, _, amount in payouts_of(call.data))}
    words = _MOVE_NOTHING.get(call.data[:4])
    if words and len(call.data) == 4 + 32 * words:
        if call.call_value or call.call_token_value or call.token_id:
            raise CannotSign("A call of the KYC router sends nothing along")
        return {}
    kinds = _AMOUNTS.get(call.data[:4])
    if kinds is None:
        raise CannotSign(f"The call {call.data[:4].hex()} of {call.contract_address} cannot be read")
    if call.call_token_value or call.token_id:
        raise CannotSign("A call that sends TRC-10 tokens is not signed")
    if len(call.data) != 4 + 32 * len(kinds):
        raise CannotSign(f"The call has {len(call.data)} bytes, not {4 + 32 * len(kinds)}")
    try:
        *_, amount = abi.decode(kinds, call.data[4:])
    except abi.AbiMismatch as error:
        raise CannotSign(f"The call cannot be read: {error.detail}") from error
    amounts = {str(call.contract_address): amount}
    return amounts | ({TRX: call.call_value} if call.call_value else {})


def payouts_of(data: bytes) -> list[tuple[bytes, Address, int]]:
    """The payouts (id, recipient, units) of a call of the router's `payBatch`.

    Raises
    ------
    CannotSign
        If the data is not exactly how these payouts are encoded: the ABI lets one call be written in many
        ways, of which a person and a contract could read different things.
    """
    words = data[4:]
    try:
        (batch, _, count) = abi.decode(("bytes32", "uint256", "uint256"), words)
        if len(words) != 96 + 96 * count:
            raise abi.AbiMismatch(f"{len(words)} bytes are not those of {count} payouts")
        flat = abi.decode(("bytes32", "address", "uint256") * count, words[96:])
        payouts = [(flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat), 3)]
        if abi.encode(_PAYOUTS, (batch, payouts)) != words:
            raise abi.AbiMismatch("the encoding is not canonical")
    except abi.AbiMismatch as error:
        raise CannotSign(f"The batch cannot be read: {error.detail}") from error
    return payouts
