"""The chain parameters, as /wallet/getchainparameters lists them. Values are mainnet's of late 2025.

Energy costs 100 sun since August 2025; bandwidth 1,000 sun a byte. Every value can be changed while the chain
runs (POST /admin/parameters), as a vote of the super representatives would change it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAINNET: dict[str, int] = {
    "getMaintenanceTimeInterval": 21_600_000,
    "getAccountUpgradeCost": 9_999_000_000,
    "getCreateAccountFee": 100_000,
    "getTransactionFee": 1_000,
    "getAssetIssueFee": 1_024_000_000,
    "getWitnessPayPerBlock": 8_000_000,
    "getWitnessStandbyAllowance": 115_200_000_000,
    "getCreateNewAccountFeeInSystemContract": 1_000_000,
    "getCreateNewAccountBandwidthRate": 1,
    "getAllowCreationOfContracts": 1,
    "getEnergyFee": 100,
    "getMaxCpuTimeOfOneTx": 80,
    "getAllowSameTokenName": 1,
    "getAllowDelegateResource": 1,
    "getTotalEnergyLimit": 180_000_000_000,
    "getAllowTvmTransferTrc10": 1,
    "getTotalEnergyCurrentLimit": 180_000_000_000,
    "getAllowMultiSign": 1,
    "getAllowAdaptiveEnergy": 0,
    "getTotalEnergyTargetLimit": 12_500_000,
    "getUpdateAccountPermissionFee": 100_000_000,
    "getMultiSignFee": 1_000_000,
    "getAllowTvmConstantinople": 1,
    "getAllowTvmSolidity059": 1,
    "getAllowTvmIstanbul": 1,
    "getAllowTvmLondon": 1,
    "getAllowTvmCompatibleEvm": 0,
    "getAllowTvmShangHai": 1,
    "getAllowTvmCancun": 1,
    "getAllowTvmFreeze": 0,
    "getAllowTvmVote": 1,
    "getFreeNetLimit": 600,
    "getTotalNetLimit": 43_200_000_000,
    "getMaxFeeLimit": 15_000_000_000,
    "getMemoFee": 1_000_000,
    "getAllowNewResourceModel": 1,
    "getAllowDelegateOptimization": 1,
    "getUnfreezeDelayDays": 14,
    "getAllowOptimizedReturnValueOfChainId": 1,
    "getAllowDynamicEnergy": 1,
    "getDynamicEnergyThreshold": 5_000_000_000,
    "getDynamicEnergyIncreaseFactor": 2_000,
    "getDynamicEnergyMaxFactor": 34_000,
    "getAllowStakingPower": 1,
    "getMaxDelegateLockPeriod": 864_000,
    "getAllowCancelAllUnfreezeV2": 1,
    "getMaxCreateAccountTxSize": 1_000,
}

DAY_MS = 86_400_000


class UnknownParameter(KeyError):
    """There is no chain parameter of that name."""


@dataclass(slots=True)
class Parameters:
    """The values in force, and two settings that are the devnet's own.

    `unfreeze_delay_ms` shortens the wait for a stake when it is not None. `background_weight` is the TRX that
    the rest of the network is taken to have staked for bandwidth and for energy, as on mainnet, so that one
    TRX yields as little here as there.
    """

    values: dict[str, int] = field(default_factory=lambda: dict(MAINNET))
    unfreeze_delay_ms: int | None = None
    background_weight: tuple[int, int] = (26_000_000_000, 19_000_000_000)

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def change(self, name: str, value: int) -> None:
        """Set one parameter.

        Raises
        ------
        UnknownParameter
            If the chain has none of that name.
        """
        if name not in self.values:
            raise UnknownParameter(name)
        self.values[name] = value

    @property
    def unfreeze_ms(self) -> int:
        """How long an unfrozen stake stays locked, in ms."""
        if self.unfreeze_delay_ms is not None:
            return self.unfreeze_delay_ms
        return self["getUnfreezeDelayDays"] * DAY_MS
