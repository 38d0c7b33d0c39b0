"""The rules of each contract type: check everything, then change the state. One function for each type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucid_tron.codec import contracts as c
from lucid_tron.devnet.actuators import delegation, smart, staking, transfer
from lucid_tron.devnet.actuators.context import Context, Effect, Invalid

ACTUATORS: dict[type[Any], Callable[[Context, Any], Effect]] = {
    c.TransferContract: transfer.transfer,
    c.AccountPermissionUpdateContract: transfer.update_permissions,
    c.FreezeBalanceV2Contract: staking.freeze,
    c.UnfreezeBalanceV2Contract: staking.unfreeze,
    c.WithdrawExpireUnfreezeContract: staking.withdraw_unfrozen,
    c.CancelAllUnfreezeV2Contract: staking.cancel_unfreezing,
    c.VoteWitnessContract: staking.vote,
    c.WithdrawBalanceContract: staking.withdraw_reward,
    c.DelegateResourceContract: delegation.delegate,
    c.UnDelegateResourceContract: delegation.undelegate,
    c.CreateSmartContract: smart.create,
    c.TriggerSmartContract: smart.trigger,
}

__all__ = ["ACTUATORS", "Context", "Effect", "Invalid"]
