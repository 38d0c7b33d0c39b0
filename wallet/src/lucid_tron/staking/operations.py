"""The operations: what each is on the chain, and when it is refused before anything is signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lucid_kit.clock import rfc3339
from lucid_tron.codec import contracts as c
from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import CodecError
from lucid_tron.staking.errors import (
    CannotVote,
    InvalidOperation,
    NotEnoughTrx,
    NothingToWithdraw,
    StakeTooSmall,
    UnfreezeQueueFull,
)
from lucid_tron.staking.models import QUEUE_LIMIT, SUN, VOTES_LIMIT, StakeStatus

KINDS = ("stake", "unstake", "withdraw", "claim", "cancel", "delegate", "undelegate", "vote")
_DAY_MS = 86_400_000
_MAX = (1 << 53) - 1


def contract_of(kind: str, terms: Mapping[str, Any], owner: Address) -> c.Contract:
    """The contract an operation stands for.

    Raises
    ------
    InvalidOperation
        If a term is missing or malformed.
    """
    match kind:
        case "stake":
            return c.FreezeBalanceV2Contract(owner, _amount(terms), _resource(terms))
        case "unstake":
            return c.UnfreezeBalanceV2Contract(owner, _amount(terms, least=1), _resource(terms))
        case "withdraw":
            return c.WithdrawExpireUnfreezeContract(owner)
        case "claim":
            return c.WithdrawBalanceContract(owner)
        case "cancel":
            return c.CancelAllUnfreezeV2Contract(owner)
        case "delegate":
            blocks = terms.get("lock_blocks", 0)
            if type(blocks) is not int or blocks < 0:
                raise InvalidOperation("lock_blocks is a number of blocks of 3 s, from 0 up")
            receiver = _receiver(terms, owner)
            return c.DelegateResourceContract(
                owner, receiver, _amount(terms), _resource(terms), blocks > 0, blocks
            )
        case "undelegate":
            receiver = _receiver(terms, owner)
            return c.UnDelegateResourceContract(owner, receiver, _amount(terms, least=1), _resource(terms))
        case "vote":
            return c.VoteWitnessContract(owner, _votes(terms))
    raise InvalidOperation(f"{kind[:40]!r} is none of {', '.join(KINDS)}")


def check(contract: c.Contract, status: StakeStatus, pending: Sequence[c.Contract], now_ms: int) -> None:
    """Refuse what the chain would refuse, counting our own operations that are not solid yet.

    Parameters
    ----------
    pending
        Other operations of this account that are signed or sent.
    now_ms
        The chain's time.

    Raises
    ------
    UnfreezeQueueFull, StakeTooSmall, NothingToWithdraw, CannotVote, NotEnoughTrx
        If it cannot succeed.
    """
    match contract:
        case c.FreezeBalanceV2Contract(frozen_balance=amount):
            if status.balance < amount:
                missing = amount - status.balance
                raise NotEnoughTrx(f"{status.address} lacks {missing} sun to stake", missing_sun=missing)
        case c.UnfreezeBalanceV2Contract(unfreeze_balance=amount, resource=resource):
            _room_in_queue(status, pending, now_ms)
            going = sum(
                each.unfreeze_balance
                for each in pending
                if isinstance(each, c.UnfreezeBalanceV2Contract) and each.resource == resource
            )
            _at_least(status.staked[resource] - going, amount, f"{resource.name.lower()} staked")
        case c.WithdrawExpireUnfreezeContract():
            if not status.withdrawable(now_ms):
                waiting = status.waiting(now_ms)
                until = f"; the next ends {rfc3339(waiting[0].expires_ms)}" if waiting else ""
                raise NothingToWithdraw(f"Nothing of {status.address} has finished unfreezing{until}")
        case c.WithdrawBalanceContract():
            again_ms = status.claimed_ms + _DAY_MS
            if status.claimed_ms and again_ms > now_ms:
                raise NothingToWithdraw(f"Rewards can be claimed again {rfc3339(again_ms)}")
        case c.CancelAllUnfreezeV2Contract():
            if not status.unfreezing:
                raise NothingToWithdraw(f"{status.address} has nothing unfreezing")
        case c.DelegateResourceContract(balance=amount, resource=resource):
            _at_least(status.staked[resource], amount, f"{resource.name.lower()} staked")
        case c.UnDelegateResourceContract(balance=amount, resource=resource):
            _at_least(status.lent.get(resource, 0), amount, f"{resource.name.lower()} lent")
        case c.VoteWitnessContract(votes=votes):
            cast = sum(each.vote_count for each in votes)
            if cast > status.power:
                raise CannotVote(f"{cast} votes are more than {status.power} staked TRX", power=status.power)


def _room_in_queue(status: StakeStatus, pending: Sequence[c.Contract], now_ms: int) -> None:
    waiting = status.waiting(now_ms)
    ours = sum(isinstance(each, c.UnfreezeBalanceV2Contract) for each in pending)
    if len(waiting) + ours >= QUEUE_LIMIT:
        when = rfc3339(waiting[0].expires_ms) if waiting else None
        raise UnfreezeQueueFull(
            f"{status.address} has {len(waiting)} stakes unfreezing and {ours} about to: the limit is"
            f" {QUEUE_LIMIT}",
            waiting=len(waiting),
            pending=ours,
            next_place_at=when,
        )


def _at_least(there: int, amount: int, what: str) -> None:
    if there < amount:
        raise StakeTooSmall(f"There are {there} sun of {what}, not {amount}", there=there, asked=amount)


def _amount(terms: Mapping[str, Any], least: int = SUN) -> int:
    amount = terms.get("amount")
    if type(amount) is not int or not least <= amount <= _MAX:
        raise InvalidOperation(f"amount is an integer of at least {least} sun, not {str(amount)[:40]}")
    return amount


def _resource(terms: Mapping[str, Any]) -> c.ResourceCode:
    name = str(terms.get("resource", "ENERGY")).upper()
    if name not in ("ENERGY", "BANDWIDTH"):
        raise InvalidOperation(f"resource is ENERGY or BANDWIDTH, not {name[:40]!r}")
    return c.ResourceCode[name]


def _address(text: object, what: str) -> Address:
    try:
        return Address.parse(str(text))
    except CodecError as error:
        raise InvalidOperation(f"{what}: {error.detail}") from error


def _receiver(terms: Mapping[str, Any], owner: Address) -> Address:
    receiver = _address(terms.get("receiver"), "receiver")
    if receiver == owner:
        raise InvalidOperation("The receiver is the owner: an account has its own resources already")
    return receiver


def _votes(terms: Mapping[str, Any]) -> tuple[c.Vote, ...]:
    votes = terms.get("votes")
    if not isinstance(votes, Mapping) or not 1 <= len(votes) <= VOTES_LIMIT:
        raise InvalidOperation(f"votes is an object of 1 to {VOTES_LIMIT} addresses with a number each")
    if not all(type(count) is int and 0 < count <= _MAX for count in votes.values()):
        raise InvalidOperation("Each number of votes is a positive integer")
    return tuple(c.Vote(_address(text, "votes"), count) for text, count in sorted(votes.items()))
