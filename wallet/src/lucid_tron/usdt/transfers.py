"""Transfers as the token logs them. The log is the truth: it says what arrived, after any fee."""

from __future__ import annotations

from dataclasses import dataclass

from lucid_tron.client.models import Receipt
from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import keccak256
from lucid_tron.usdt.errors import NotPaid, UnclearPayment

TRANSFER_TOPIC = keccak256(b"Transfer(address,address,uint256)")


@dataclass(frozen=True, slots=True)
class Transfer:
    """A movement of the token. (`txid`, `log_index`) names it for ever; `amount` is in its smallest unit."""

    txid: bytes
    log_index: int
    block_number: int
    sender: Address
    recipient: Address
    amount: int


def transfers_in(receipt: Receipt, token: Address) -> list[Transfer]:
    """The transfers of *this* token in a receipt; look-alike tokens log the same event from elsewhere.

    Empty when the transaction did not succeed.
    """
    if not receipt.succeeded:
        return []
    found = []
    for index, log in enumerate(receipt.logs):
        if log.address != token or len(log.topics) != 3 or log.topics[0] != TRANSFER_TOPIC:
            continue
        if len(log.data) != 32 or any(log.topics[1][:12]) or any(log.topics[2][:12]):
            continue
        sender, recipient = (Address.from_evm(topic[12:]) for topic in log.topics[1:])
        amount = int.from_bytes(log.data, "big")
        found.append(Transfer(receipt.txid, index, receipt.block_number, sender, recipient, amount))
    return found


def paid_by(receipt: Receipt, token: Address, sender: Address, recipient: Address, amount: int) -> Transfer:
    """The one transfer from `sender` to `recipient`, of at most `amount`, that a transaction made.

    Raises
    ------
    NotPaid
        If it failed: it moved nothing and never will.
    UnclearPayment
        If it succeeded without exactly one such transfer. Then a person must look, for something may have
        been paid.
    """
    facts = {
        "txid": receipt.txid.hex(),
        "result": receipt.result,
        "message": receipt.message,
        "energy_used": receipt.energy_used,
        "fee_sun": receipt.fee,
    }
    if not receipt.succeeded:
        raise NotPaid(
            f"Transaction {receipt.txid.hex()} failed: {receipt.result or receipt.message}", **facts
        )
    matching = [
        transfer
        for transfer in transfers_in(receipt, token)
        if (transfer.sender, transfer.recipient) == (sender, recipient)
    ]
    if len(matching) != 1 or not 0 < matching[0].amount <= amount:
        raise UnclearPayment(
            f"Transaction {receipt.txid.hex()} succeeded with {[t.amount for t in matching]} to {recipient}"
            f" instead of one transfer of up to {amount}",
            **facts,
        )
    return matching[0]
