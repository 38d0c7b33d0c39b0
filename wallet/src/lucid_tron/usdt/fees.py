"""What a call costs and which fee limit it needs.

`fee_limit` caps the *whole* energy of a call at the current price, also energy that is covered by stake
(https://developers.tron.network/docs/resource-model). Too low burns the fee and fails; so it comes from an
estimate times a margin, from prices the chain states, and is bounded by a cap of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lucid_tron.client.models import ChainParameters, Resources
from lucid_tron.codec import transaction
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.usdt.errors import FeeTooHigh

_SIGNATURE_BYTES = 67  # one signature of 65 bytes with its tag and length
_RESULT_BYTES = 64  # java-tron's MAX_RESULT_SIZE_IN_TX, charged with every transaction


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """`margin` on every estimate; `cap` in sun on the fee limit of one call."""

    margin: Fraction = Fraction(13, 10)
    cap: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Fee:
    """The limit to sign, and what will really be burned, in sun. `energy` is the estimate without margin."""

    limit: int
    energy: int
    burned: int


def fee_for(energy: int, parameters: ChainParameters, resources: Resources, policy: FeePolicy) -> Fee:
    """The fee of a call that was estimated to take `energy`.

    Raises
    ------
    FeeTooHigh
        If the limit it needs is above the policy's cap or the chain's.
    """
    generous = -(-energy * policy.margin.numerator // policy.margin.denominator)
    limit = generous * parameters.energy_price
    highest = min(policy.cap, parameters.max_fee_limit)
    if limit > highest:
        raise FeeTooHigh(
            f"The call needs a fee limit of {limit} sun and {highest} are allowed",
            needed_sun=limit,
            allowed_sun=highest,
            energy=energy,
        )
    return Fee(limit, energy, max(0, energy - resources.energy) * parameters.energy_price)


def bandwidth_of(raw: RawTransaction, signatures: int = 1) -> int:
    """Bytes of bandwidth a transaction takes once it is signed."""
    encoded = len(transaction.encode(raw))
    header = 1 + (1 if encoded < 128 else 2 if encoded < 16384 else 3)
    return encoded + header + signatures * _SIGNATURE_BYTES + _RESULT_BYTES
