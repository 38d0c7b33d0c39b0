"""What an account has staked, as the chain tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lucid_tron.client.errors import MalformedAnswer
from lucid_tron.client.models import read_int
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import ResourceCode
from lucid_tron.codec.errors import CodecError

SUN = 1_000_000
"""Sun in a TRX."""
QUEUE_LIMIT = 32
"""Stakes of one account that can be unfreezing at once (java-tron, UNFREEZE_MAX_TIMES)."""
VOTES_LIMIT = 30


@dataclass(frozen=True, slots=True)
class Unfreezing:
    """Sun on its way back, and when (ms UTC) it can be withdrawn."""

    resource: ResourceCode
    amount: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class StakeStatus:
    """An account's stake in solid blocks. Amounts in sun; `lent` and `borrowed` in staked sun."""

    address: Address
    balance: int
    staked: Mapping[ResourceCode, int]
    lent: Mapping[ResourceCode, int]
    borrowed: Mapping[ResourceCode, int]
    unfreezing: tuple[Unfreezing, ...]
    votes: Mapping[Address, int]
    claimed_ms: int

    @property
    def power(self) -> int:
        """Votes it may cast: one for each TRX staked or lent."""
        return (sum(self.staked.values()) + sum(self.lent.values())) // SUN

    def waiting(self, now_ms: int) -> tuple[Unfreezing, ...]:
        """What is still unfreezing and takes a place in the queue, the next to end first."""
        return tuple(
            sorted((e for e in self.unfreezing if e.expires_ms > now_ms), key=lambda e: e.expires_ms)
        )

    def withdrawable(self, now_ms: int) -> int:
        """Sun that has finished unfreezing."""
        return sum(each.amount for each in self.unfreezing if each.expires_ms <= now_ms)

    @classmethod
    def read(cls, address: Address, answer: Mapping[str, Any]) -> StakeStatus:
        """From `getaccount`; an empty answer is an account that does not exist.

        Raises
        ------
        MalformedAnswer
            If a part is malformed.
        """
        energy = answer.get("account_resource", {})
        if not isinstance(energy, Mapping):
            raise MalformedAnswer("account_resource of an account is not an object")
        name = "delegated_frozenV2_balance_for_"
        try:
            staked = dict.fromkeys(ResourceCode, 0)
            for each in _objects(answer, "frozenV2"):
                staked[_resource(each)] += read_int(each, "amount", 0)
            return cls(
                address=address,
                balance=read_int(answer, "balance", 0),
                staked=staked,
                lent={
                    ResourceCode.BANDWIDTH: read_int(answer, name + "bandwidth", 0),
                    ResourceCode.ENERGY: read_int(energy, name + "energy", 0),
                },
                borrowed={
                    ResourceCode.BANDWIDTH: read_int(answer, "acquired_" + name + "bandwidth", 0),
                    ResourceCode.ENERGY: read_int(energy, "acquired_" + name + "energy", 0),
                },
                unfreezing=tuple(
                    Unfreezing(
                        _resource(each),
                        read_int(each, "unfreeze_amount", 0),
                        read_int(each, "unfreeze_expire_time", 0),
                    )
                    for each in _objects(answer, "unfrozenV2")
                ),
                votes={
                    Address.parse(str(each.get("vote_address"))): read_int(each, "vote_count", 0)
                    for each in _objects(answer, "votes")
                },
                claimed_ms=read_int(answer, "latest_withdraw_time", 0),
            )
        except (KeyError, CodecError) as error:
            raise MalformedAnswer(f"An account is malformed: {error}") from error


def _resource(item: Mapping[str, Any]) -> ResourceCode:
    return ResourceCode[str(item.get("type", "") or "BANDWIDTH")]


def _objects(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = answer.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise MalformedAnswer(f"{name} of an account is not a list of objects")
    return found
