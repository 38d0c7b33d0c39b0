"""The energy plan: what to stake for a number of payouts a day, and what it costs to burn TRX instead.

Energy and bandwidth come back over 24 hours, so a stake yields its share of the chain's total once a day
(https://developers.tron.network/docs/resource-model). All figures are the chain's: nothing is assumed here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lucid_tron.client.models import ChainParameters
from lucid_tron.staking.errors import PlanImpossible
from lucid_tron.staking.models import SUN


@dataclass(frozen=True, slots=True)
class Yield:
    """What the chain gives all stakes of a resource together in a day, and how many TRX share it."""

    total: int
    weight: int

    def stake_for(self, wanted: int) -> int:
        """TRX whose stake yields at least `wanted` a day, counting that it dilutes itself.

        s × total / (weight + s) ≥ wanted  ⇔  s ≥ wanted × weight / (total − wanted)

        Raises
        ------
        PlanImpossible
            If no stake yields as much.
        """
        if wanted <= 0:
            return 0
        if wanted >= self.total:
            raise PlanImpossible(f"{wanted} a day are more than the {self.total} of the whole chain")
        return -(-wanted * self.weight // (self.total - wanted))


@dataclass(frozen=True, slots=True)
class Need:
    """What one payout takes, as measured: energy units, bytes of bandwidth, and whether it has a memo."""

    energy: int
    bandwidth: int
    memo: bool = True


@dataclass(frozen=True, slots=True)
class EnergyPlan:
    """Stakes in sun, what must still be staked beyond what is staked and borrowed, and costs in sun a day.

    `burn_per_day` is what is burned without any stake, `fees_per_day` what is burned with the plan
    (memos have no resource that covers them), `pays_back_days` how long burning costs as much as the stake,
    which is not spent and can be taken back.
    """

    payouts_per_day: int
    energy_per_day: int
    bandwidth_per_day: int
    stake_energy: int
    stake_bandwidth: int
    missing_energy: int
    missing_bandwidth: int
    burn_per_payout: int
    burn_per_day: int
    fees_per_day: int
    pays_back_days: int | None
    energy_price: int
    bandwidth_price: int


def plan(
    payouts_per_day: int,
    need: Need,
    parameters: ChainParameters,
    energy: Yield,
    bandwidth: Yield,
    *,
    staked_energy: int = 0,
    staked_bandwidth: int = 0,
) -> EnergyPlan:
    """Work it out. `staked_…` is sun that yields for the account already.

    Raises
    ------
    PlanImpossible
        If the whole chain does not have as much.
    """
    energy_per_day, bytes_per_day = payouts_per_day * need.energy, payouts_per_day * need.bandwidth
    stake_energy = energy.stake_for(energy_per_day) * SUN
    stake_bandwidth = bandwidth.stake_for(bytes_per_day) * SUN
    memo = parameters.memo_fee if need.memo else 0
    each = need.energy * parameters.energy_price + need.bandwidth * parameters.bandwidth_price + memo
    burn, fees = payouts_per_day * each, payouts_per_day * memo
    saved = burn - fees
    return EnergyPlan(
        payouts_per_day=payouts_per_day,
        energy_per_day=energy_per_day,
        bandwidth_per_day=bytes_per_day,
        stake_energy=stake_energy,
        stake_bandwidth=stake_bandwidth,
        missing_energy=max(0, stake_energy - staked_energy),
        missing_bandwidth=max(0, stake_bandwidth - staked_bandwidth),
        burn_per_payout=each,
        burn_per_day=burn,
        fees_per_day=fees,
        pays_back_days=-(-(stake_energy + stake_bandwidth) // saved) if saved else None,
        energy_price=parameters.energy_price,
        bandwidth_price=parameters.bandwidth_price,
    )
