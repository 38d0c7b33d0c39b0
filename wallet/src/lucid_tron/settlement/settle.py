"""The rule by which a statement becomes payouts: a function of its arguments, without a clock or a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lucid_proof import domains
from lucid_proof.canonical import MAX_INTEGER, encode
from lucid_tron.codec.address import Address
from lucid_tron.settlement.errors import NoRatePolicy, TooMuchOwed
from lucid_tron.settlement.rates import RatePolicy
from lucid_tron.settlement.statement import Statement

_PAYOUT: Final = b"lucid-payout-id/1\n"
_PREFIX: Final = "stl_"


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment that a settlement asks for: `amount` in units of USDT, `id` its name for ever."""

    id: str
    epoch: int
    operator: bytes
    recipient: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a statement comes to. Amounts in units; it always holds that

    `earned + brought = sum of intents + sum of held`, and
    `earned · credits + remainder = total credits · units` of the policy.

    Attributes
    ----------
    origin, epoch
        Whose chain, and which epoch of it.
    brought : int
        What was held for operators before.
    held : mapping of bytes to int
        What each operator is still owed: less than the minimum, or without a payout address.
    remainder : int
        What rounding down left with the payer, in `1/credits` of a unit.
    """

    origin: str
    epoch: int
    intents: tuple[Intent, ...]
    earned: int
    brought: int
    held: Mapping[bytes, int]
    remainder: int


def payout_id(origin: str, epoch: int, operator: bytes) -> str:
    """The name of what an operator is paid for an epoch: 60 characters, the same for ever."""
    named = encode({"chain": origin, "epoch": epoch, "operator": operator.hex()})
    return _PREFIX + domains.digest(_PAYOUT + named).hex()[:56]


def settle(
    statement: Statement,
    policy: RatePolicy,
    addresses: Mapping[bytes, Address],
    held: Mapping[bytes, int] | None = None,
) -> Settlement:
    """Price a statement and say who is paid what.

    Parameters
    ----------
    addresses
        Operator → payout address in force.
    held
        Operator → units owed from earlier epochs; operators who earned nothing now are paid too.

    Raises
    ------
    NoRatePolicy
        If the policy is another chain's.
    TooMuchOwed
        If an amount cannot be written exactly.
    """
    if policy.origin != statement.origin:
        raise NoRatePolicy(f"The policy is for {policy.origin!r}, not {statement.origin!r}")
    owed, remainder = dict(held or {}), 0
    brought = sum(owed.values())
    earned = 0
    for each in statement.entitlements:
        units, left = policy.price(each.credits)
        owed[each.operator] = owed.get(each.operator, 0) + units
        earned, remainder = earned + units, remainder + left
    if max(earned + brought, remainder) > MAX_INTEGER:
        raise TooMuchOwed(f"Epoch {statement.epoch} comes to {earned + brought} units")
    intents, kept = [], {}
    for operator, amount in sorted(owed.items()):
        address = addresses.get(operator)
        if address is not None and amount >= policy.minimum:
            id_ = payout_id(statement.origin, statement.epoch, operator)
            intents.append(Intent(id_, statement.epoch, operator, address, amount))
        elif amount:
            kept[operator] = amount
    return Settlement(statement.origin, statement.epoch, tuple(intents), earned, brought, kept, remainder)
