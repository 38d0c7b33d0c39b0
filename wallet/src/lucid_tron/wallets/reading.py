"""What a transaction spends, read from its own bytes: never from what the caller says of it."""

from __future__ import annotations

from dataclasses import dataclass

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

# Token functions that move or let move. Their amount is the last argument, who may have it the one before.
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


@dataclass(frozen=True, slots=True)
class Spend:
    """What a transaction lets somebody have: of "TRX" in sun, of a token or router in the units it moves.

    `to` is None where nobody is named, as with what a new contract begins with.
    """

    asset: str
    amount: int
    to: Address | None


def spends(raw: RawTransaction) -> dict[str, int]:
    """Amounts by asset; also an asset of which nothing is moved is named.

    Raises
    ------
    CannotSign
        As `read` says.
    """
    sums: dict[str, int] = {}
    for spend in read(raw):
        sums[spend.asset] = sums.get(spend.asset, 0) + spend.amount
    return sums


def read(raw: RawTransaction) -> list[Spend]:
    """What a transaction spends, and on whom. Staking moves nothing out.

    Raises
    ------
    CannotSign
        If it is a call whose effect cannot be read, or changes who may sign for the account.
    """
    contract = raw.contract
    match contract:
        case TransferContract(to_address=to, amount=amount):
            return [Spend(TRX, amount, to)]
        case TriggerSmartContract():
            return _of_call(contract)
        case CreateSmartContract(new_contract=new, call_token_value=tokens):
            if tokens:
                raise CannotSign("A deployment that sends TRC-10 tokens is not signed")
            return [Spend(TRX, new.call_value, None)] if new.call_value else []
        case AccountPermissionUpdateContract():
            raise CannotSign("Permissions are changed in the key ceremony, not by a service")
    return []


def _of_call(call: TriggerSmartContract) -> list[Spend]:
    asset = str(call.contract_address)
    if call.data[:4] == _PAY_BATCH and not (call.call_value or call.call_token_value or call.token_id):
        return [Spend(asset, amount, to) for _, to, amount in payouts_of(call.data)]
    words = _MOVE_NOTHING.get(call.data[:4])
    if words and len(call.data) == 4 + 32 * words:
        if call.call_value or call.call_token_value or call.token_id:
            raise CannotSign("A call of the KYC router sends nothing along")
        return []
    kinds = _AMOUNTS.get(call.data[:4])
    if kinds is None:
        raise CannotSign(f"The call {call.data[:4].hex()} of {call.contract_address} cannot be read")
    if call.call_token_value or call.token_id:
        raise CannotSign("A call that sends TRC-10 tokens is not signed")
    if len(call.data) != 4 + 32 * len(kinds):
        raise CannotSign(f"The call has {len(call.data)} bytes, not {4 + 32 * len(kinds)}")
    try:
        *_, to, amount = abi.decode(kinds, call.data[4:])
    except abi.AbiMismatch as error:
        raise CannotSign(f"The call cannot be read: {error.detail}") from error
    trx = [Spend(TRX, call.call_value, call.contract_address)] if call.call_value else []
    return [Spend(asset, amount, to), *trx]


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
