"""Stake 2.0: freeze, unfreeze, withdraw, cancel, vote, and claim what votes earned."""

from __future__ import annotations

from dataclasses import replace

from lucid_tron.codec import contracts as c
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import SUN, Account, Resource, Unfreezing, Witness
from lucid_tron.devnet.actuators.context import Context, Effect, Invalid
from lucid_tron.devnet.resources import add_weight

MAX_UNFREEZING, MAX_VOTES = 32, 30
REWARD_PER_SLOT = 128 * SUN * 8 // 10
"""Sun that all voters share every 3 s: 128 TRX, of which the representatives keep a fifth."""
BACKGROUND_VOTES = 26_000_000_000
WITHDRAW_PAUSE_MS = 86_400_000


def freeze(context: Context, order: c.FreezeBalanceV2Contract) -> Effect:
    """Stake sun for a resource."""
    holder = context.owner(order.owner_address)
    if order.frozen_balance <= 0:
        raise Invalid("frozenBalance must be positive")
    if order.frozen_balance < SUN:
        raise Invalid("frozenBalance must be greater than or equal to 1 TRX")
    if order.frozen_balance > holder.balance:
        raise Invalid("frozenBalance must be less than or equal to accountBalance")
    resource = Resource(order.resource)
    context.put(
        replace(holder, balance=holder.balance - order.frozen_balance).with_staked(
            resource, order.frozen_balance
        )
    )
    add_weight(context.sheet, resource, order.frozen_balance)
    return Effect()


def unfreeze(context: Context, order: c.UnfreezeBalanceV2Contract) -> Effect:
    """Begin to take a stake back; what had finished unfreezing before is withdrawn on the way."""
    holder = context.owner(order.owner_address)
    resource = Resource(order.resource)
    if holder.staked[resource] <= 0:
        raise Invalid(f"no frozenBalance({('BANDWIDTH', 'Energy', 'TronPower')[resource]})")
    if not 0 < order.unfreeze_balance <= holder.staked[resource]:
        raise Invalid(f"Invalid unfreeze_balance, [{order.unfreeze_balance}] is error")
    waiting, done = _split(holder, context.now_ms)
    if len(waiting) >= MAX_UNFREEZING:
        raise Invalid("Invalid unfreeze operation, unfreezing times is over limit")
    ends = context.now_ms + context.parameters.unfreeze_ms
    holder = settle(context, holder)
    holder = replace(
        holder,
        balance=holder.balance + done,
        unfreezing=(*waiting, Unfreezing(resource, order.unfreeze_balance, ends)),
    ).with_staked(resource, -order.unfreeze_balance)
    context.put(_fit_votes(context, holder))
    add_weight(context.sheet, resource, -order.unfreeze_balance)
    extra: dict[str, object] = {"unfreeze_amount": order.unfreeze_balance}
    return Effect(extra=extra | ({"withdraw_expire_amount": done} if done else {}))


def withdraw_unfrozen(context: Context, order: c.WithdrawExpireUnfreezeContract) -> Effect:
    """Take what has finished unfreezing."""
    holder = context.owner(order.owner_address)
    waiting, done = _split(holder, context.now_ms)
    if done <= 0:
        raise Invalid("no unFreeze balance to withdraw ")
    context.put(replace(holder, balance=holder.balance + done, unfreezing=waiting))
    return Effect(extra={"withdraw_expire_amount": done})


def cancel_unfreezing(context: Context, order: c.CancelAllUnfreezeV2Contract) -> Effect:
    """Stake again what is unfreezing, and take what has finished."""
    holder = context.owner(order.owner_address)
    if not holder.unfreezing:
        raise Invalid("No unfreezeV2 list to cancel")
    waiting, done = _split(holder, context.now_ms)
    again = dict.fromkeys(Resource, 0)
    for each in waiting:
        again[each.resource] += each.amount
        holder = holder.with_staked(each.resource, each.amount)
        add_weight(context.sheet, each.resource, each.amount)
    context.put(replace(holder, balance=holder.balance + done, unfreezing=()))
    amounts = [{"key": each.name, "value": amount} for each, amount in again.items()]
    return Effect(
        extra={"cancel_unfreezeV2_amount": amounts} | ({"withdraw_expire_amount": done} if done else {})
    )


def vote(context: Context, order: c.VoteWitnessContract) -> Effect:
    """Replace all votes of an account."""
    if not order.votes:
        raise Invalid("VoteNumber must more than 0")
    if len(order.votes) > MAX_VOTES:
        raise Invalid(f"VoteNumber more than maxVoteNumber {MAX_VOTES}")
    for each in order.votes:
        if each.vote_count <= 0:
            raise Invalid("vote count must be greater than 0")
        if accounts.witness(context.sheet, each.vote_address) is None:
            raise Invalid(f"Witness[{each.vote_address.hex()}] not exists")
    holder = settle(context, context.owner(order.owner_address))
    total = sum(each.vote_count for each in order.votes)
    power = holder.tron_power()
    if total > power:
        raise Invalid(
            f"The total number of votes[{total * SUN}] is greater than the tronPower[{power * SUN}]"
        )
    votes = tuple((bytes(each.vote_address), each.vote_count) for each in order.votes)
    context.put(_recast(context, holder, votes))
    return Effect()


def withdraw_reward(context: Context, order: c.WithdrawBalanceContract) -> Effect:
    """Take what votes have earned; at most once in 24 hours."""
    holder = settle(context, context.owner(order.owner_address))
    if holder.withdrawn_ms and context.now_ms - holder.withdrawn_ms < WITHDRAW_PAUSE_MS:
        raise Invalid(f"The last withdraw time is {holder.withdrawn_ms}, less than 24 hours")
    if holder.allowance <= 0:
        raise Invalid("witnessAccount does not have any reward")
    context.put(
        replace(
            holder,
            balance=holder.balance + holder.allowance,
            allowance=0,
            withdrawn_ms=context.now_ms,
        )
    )
    return Effect(extra={"withdraw_amount": holder.allowance})


def earned(holder: Account, slot: int) -> int:
    """Sun that may be claimed at `slot`."""
    votes = sum(count for _, count in holder.votes)
    return holder.allowance + votes * (slot - holder.rewarded_slot) * REWARD_PER_SLOT // BACKGROUND_VOTES


def settle(context: Context, holder: Account) -> Account:
    """The account with what its votes earned so far booked to its allowance."""
    return replace(holder, allowance=earned(holder, context.slot), rewarded_slot=context.slot)


def withdrawable(holder: Account, now_ms: int) -> int:
    """Sun that has finished unfreezing at `now_ms`."""
    return _split(holder, now_ms)[1]


def _split(holder: Account, now_ms: int) -> tuple[tuple[Unfreezing, ...], int]:
    waiting = tuple(each for each in holder.unfreezing if each.expires_ms > now_ms)
    return waiting, sum(each.amount for each in holder.unfreezing if each.expires_ms <= now_ms)


def _fit_votes(context: Context, holder: Account) -> Account:
    """Scale votes down to the power that is left, as java-tron does on unfreezing."""
    cast, power = sum(count for _, count in holder.votes), holder.tron_power()
    if cast <= power:
        return holder
    scaled = tuple((address, count * power // cast) for address, count in holder.votes)
    return _recast(context, holder, tuple(each for each in scaled if each[1]))


def _recast(context: Context, holder: Account, votes: tuple[tuple[bytes, int], ...]) -> Account:
    for sign, cast in ((-1, holder.votes), (1, votes)):
        for address, count in cast:
            there = accounts.witness(context.sheet, address)
            if there is not None:
                changed = Witness(address, there.url, there.votes + sign * count)
                context.sheet.put(("witness", address), changed)
    return replace(holder, votes=votes)
