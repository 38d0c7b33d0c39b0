"""Bandwidth and energy: what a stake yields, what was used, how it comes back, and what is burnt instead.

Used resources come back linearly over a window of one day of 3 s slots; a new use mixes its window with what
is left of the old one (java-tron ResourceProcessor.increaseV2). Rounding follows java-tron.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import SUN, WINDOW_SLOTS, Account, Resource, Usage
from lucid_tron.devnet.params import Parameters
from lucid_tron.devnet.state import Reader, Sheet

PRECISION = 1_000_000


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _recovered(usage: Usage, slot: int) -> int:
    """Average use per slot that is left at `slot`, times PRECISION."""
    window = usage.window // 1000
    average = _ceil(usage.used * PRECISION, window)
    passed = slot - usage.slot
    if passed == 0:
        return average
    if passed >= window:
        return 0
    return int(average * ((window - passed) / window) + 0.5)


def used(usage: Usage, slot: int) -> int:
    """How much still counts as used at `slot`."""
    return _recovered(usage, slot) * (usage.window // 1000) // PRECISION


def use(usage: Usage, amount: int, slot: int) -> Usage:
    """The usage after `amount` more was used at `slot`."""
    window = usage.window // 1000
    left = _recovered(usage, slot)
    total = (left * window + _ceil(amount * PRECISION, WINDOW_SLOTS) * WINDOW_SLOTS) // PRECISION
    remaining = left * window // PRECISION
    if remaining == 0 or total == 0:
        return Usage(total, slot, WINDOW_SLOTS * 1000)
    mixed = remaining * (usage.window - (slot - usage.slot) * 1000) + amount * WINDOW_SLOTS * 1000
    return Usage(total, slot, max(1000, min(_ceil(mixed, total), WINDOW_SLOTS * 1000)))


def merge(mine: Usage, theirs: Usage, transferred: int, slot: int) -> Usage:
    """The lender's usage once a loan of which `transferred` was used comes back to them."""
    now = use(mine, 0, slot)
    total = now.used + transferred
    if total == 0:
        return Usage(0, slot)
    window = _ceil(now.used * now.window + transferred * theirs.window, total)
    return Usage(total, slot, max(1000, min(window, WINDOW_SLOTS * 1000)))


def total_weight(state: Reader, parameters: Parameters, resource: Resource) -> int:
    """TRX staked by everybody for a resource."""
    here: int = state.get(("weight", int(resource))) or 0
    return parameters.background_weight[resource] + here // SUN


def add_weight(state: Sheet, resource: Resource, change: int) -> None:
    key = ("weight", int(resource))
    state.put(key, (state.get(key) or 0) + change)


def limit(state: Reader, parameters: Parameters, holder: Account, resource: Resource) -> int:
    """What an account's stake yields a day: bytes or energy."""
    whole = parameters["getTotalEnergyCurrentLimit" if resource is Resource.ENERGY else "getTotalNetLimit"]
    weight = total_weight(state, parameters, resource)
    if weight <= 0:
        return 0
    return int(holder.weighed(resource) / SUN * (whole / weight))


def energy_left(state: Reader, parameters: Parameters, holder: Account, slot: int) -> int:
    """Energy the account may use without burning TRX."""
    return max(0, limit(state, parameters, holder, Resource.ENERGY) - used(holder.energy, slot))


class Insufficient(Exception):
    """The account can pay neither from its stake nor by burning TRX."""


@dataclass(frozen=True, slots=True)
class BandwidthBill:
    """Bytes taken from a stake or the free allowance, or else sun burnt."""

    usage: int = 0
    fee: int = 0


def burn(sheet: Sheet, address: bytes, fee: int) -> None:
    """Take sun away for good.

    Raises
    ------
    Insufficient
        If the balance is smaller.
    """
    if fee == 0:
        return
    holder = accounts.account(sheet, address)
    if holder is None or holder.balance < fee:
        raise Insufficient(f"{fee} sun are due")
    accounts.put_account(sheet, replace(holder, balance=holder.balance - fee))
    sheet.put(("burnt",), (sheet.get(("burnt",)) or 0) + fee)


def pay_bandwidth(
    sheet: Sheet, parameters: Parameters, address: bytes, size: int, slot: int, *, creates: bool
) -> BandwidthBill:
    """Pay for `size` bytes: from the stake, else from the free allowance, else 1,000 sun a byte.

    A transfer that creates its recipient uses no free allowance and burns a flat fee instead of bytes.

    Raises
    ------
    Insufficient
        If nothing of this is enough.
    """
    holder = accounts.account(sheet, address)
    if holder is None:
        raise Insufficient("the account does not exist")
    rate = parameters["getCreateNewAccountBandwidthRate"] if creates else 1
    staked = limit(sheet, parameters, holder, Resource.BANDWIDTH) - used(holder.net, slot)
    if size * rate <= staked:
        accounts.put_account(sheet, replace(holder, net=use(holder.net, size * rate, slot)))
        return BandwidthBill(usage=size * rate)
    if creates:
        fee = parameters["getCreateAccountFee"]
        burn(sheet, address, fee)
        return BandwidthBill(fee=fee)
    if size <= parameters["getFreeNetLimit"] - used(holder.free_net, slot):
        accounts.put_account(sheet, replace(holder, free_net=_use_free(holder.free_net, size, slot)))
        return BandwidthBill(usage=size)
    fee = size * parameters["getTransactionFee"]
    burn(sheet, address, fee)
    return BandwidthBill(fee=fee)


def _use_free(usage: Usage, size: int, slot: int) -> Usage:
    # The free allowance keeps its one-day window (java-tron ResourceProcessor.increase with windowSize).
    average = _recovered(usage, slot) + _ceil(size * PRECISION, WINDOW_SLOTS)
    return Usage(average * WINDOW_SLOTS // PRECISION, slot)
