"""Lending the yield of a stake, and taking it back."""

from __future__ import annotations

from dataclasses import replace

from lucid_tron.codec import contracts as c
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import SUN, Account, Loan, Resource, Usage
from lucid_tron.devnet.actuators.context import Context, Effect, Invalid
from lucid_tron.devnet.params import Parameters
from lucid_tron.devnet.resources import limit, merge, total_weight, use, used
from lucid_tron.devnet.state import Reader, Sheet

DEFAULT_LOCK_BLOCKS = 86_400
BLOCK_MS = 3_000


def available(state: Reader, parameters: Parameters, holder: Account, resource: Resource, slot: int) -> int:
    """Staked sun that can be lent: what is used up at `slot` cannot be."""
    usage = holder.energy if resource is Resource.ENERGY else holder.net
    whole = limit(state, parameters, holder, resource)
    weighed = holder.weighed(resource)
    taken = 0 if whole == 0 else used(usage, slot) * weighed // whole
    # What was used is first taken from what others lent (java-tron computes "v2FrozenBalance - usage").
    return max(0, holder.staked[resource] - max(0, taken - holder.borrowed[resource]))


def delegate(context: Context, order: c.DelegateResourceContract) -> Effect:
    """Lend the yield of `balance` staked sun."""
    holder = context.owner(order.owner_address)
    resource = _resource(order.resource)
    if order.balance < SUN:
        raise Invalid("delegateBalance must be greater than or equal to 1 TRX")
    if order.balance > available(context.sheet, context.parameters, holder, resource, context.slot):
        name = "Bandwidth" if resource is Resource.BANDWIDTH else "Energy"
        raise Invalid(f"delegateBalance must be less than or equal to available Freeze{name}V2 balance")
    if order.receiver_address == order.owner_address:
        raise Invalid("receiverAddress must not be the same as ownerAddress")
    receiver = context.account(
        order.receiver_address, f"Account[{order.receiver_address.hex()}] does not exist"
    )
    longest = context.parameters["getMaxDelegateLockPeriod"]
    if not 0 <= order.lock_period <= longest:
        raise Invalid(
            f"The lock period of delegate resource cannot be less than 0 and cannot exceed {longest}!"
        )
    if receiver.is_contract:
        raise Invalid("Do not allow delegate resources to contract addresses")
    there = accounts.loan(context.sheet, order.owner_address, order.receiver_address, resource).at(
        context.now_ms
    )
    until = context.now_ms + (order.lock_period or DEFAULT_LOCK_BLOCKS) * BLOCK_MS if order.lock else 0
    if there.locked and order.lock and until < there.until_ms:
        raise Invalid(
            f"The lock period for {resource.name} this time cannot be less than the remaining "
            f"time[{there.until_ms - context.now_ms}ms] of the last lock period for {resource.name}!"
        )
    lent = (
        Loan(there.free, there.locked + order.balance, until)
        if order.lock
        else replace(there, free=there.free + order.balance)
    )
    _put_loan(context.sheet, order.owner_address, order.receiver_address, resource, lent)
    context.put(holder.with_staked(resource, -order.balance).with_lent(resource, order.balance))
    context.put(receiver.with_borrowed(resource, order.balance))
    return Effect()


def undelegate(context: Context, order: c.UnDelegateResourceContract) -> Effect:
    """Take a loan back; what the borrower used of it comes along."""
    holder = context.owner(order.owner_address)
    resource = _resource(order.resource)
    if order.receiver_address == order.owner_address:
        raise Invalid("receiverAddress must not be the same as ownerAddress")
    there = accounts.loan(context.sheet, order.owner_address, order.receiver_address, resource)
    if there == Loan():
        raise Invalid("delegated Resource does not exist")
    there = there.at(context.now_ms)
    if order.balance <= 0:
        raise Invalid("unDelegateBalance must be more than 0 TRX")
    if there.free < order.balance:
        name = (
            "insufficient delegatedFrozenBalance(BANDWIDTH)",
            "insufficient delegateFrozenBalance(Energy)",
        )
        raise Invalid(f"{name[resource]}, request={order.balance}, unlock_balance={there.free}")
    receiver = context.account(order.receiver_address, "Receiver Account does not exist")
    returned = _used_share(context, receiver, resource, order.balance)
    usage = receiver.energy if resource is Resource.ENERGY else receiver.net
    settled = use(usage, 0, context.slot)
    receiver = _with_usage(receiver, resource, replace(settled, used=settled.used - returned))
    holder = holder.with_lent(resource, -order.balance).with_staked(resource, order.balance)
    if returned:
        mine = holder.energy if resource is Resource.ENERGY else holder.net
        holder = _with_usage(holder, resource, merge(mine, settled, returned, context.slot))
    left = replace(there, free=there.free - order.balance)
    _put_loan(context.sheet, order.owner_address, order.receiver_address, resource, left)
    context.put(receiver.with_borrowed(resource, -order.balance))
    context.put(holder)
    return Effect()


def _used_share(context: Context, receiver: Account, resource: Resource, balance: int) -> int:
    usage = receiver.energy if resource is Resource.ENERGY else receiver.net
    name = "getTotalEnergyCurrentLimit" if resource is Resource.ENERGY else "getTotalNetLimit"
    weight = total_weight(context.sheet, context.parameters, resource)
    most = int(balance / SUN * (context.parameters[name] / weight))
    share = int(used(usage, context.slot) * (balance / receiver.weighed(resource)))
    return min(most, share)


def _with_usage(holder: Account, resource: Resource, usage: Usage) -> Account:
    return replace(holder, energy=usage) if resource is Resource.ENERGY else replace(holder, net=usage)


def _resource(code: c.ResourceCode) -> Resource:
    if code is c.ResourceCode.TRON_POWER:
        raise Invalid("ResourceCode error, valid ResourceCode[BANDWIDTH、ENERGY]")
    return Resource(code)


def _put_loan(sheet: Sheet, owner: bytes, receiver: bytes, resource: Resource, loan: Loan) -> None:
    empty = loan.free == 0 and loan.locked == 0
    sheet.put(("loan", owner, receiver, int(resource)), None if empty else loan)
    other = Resource.BANDWIDTH if resource is Resource.ENERGY else Resource.ENERGY
    gone = empty and accounts.loan(sheet, owner, receiver, other) == Loan()
    for key, member in ((("lent-to", owner), receiver), (("lent-by", receiver), owner)):
        members: tuple[bytes, ...] = sheet.get(key) or ()
        rest = tuple(each for each in members if each != member)
        sheet.put(key, rest if gone else (*rest, member))
