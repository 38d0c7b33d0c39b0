"""From a proven settlement statement to payouts.

A statement says how many credits each operator earned in an epoch; it is a leaf of the chain plane's log
and comes with its proof (docs/specs/settlement.md). This package verifies it offline with `lucid_proof`,
prices it with the rate policy that was in force when its epoch began, and names each payout for ever by
chain, epoch and operator. It never asks the chain plane anything and never sends money:
`lucid_tron.payouts` does.
"""

from lucid_tron.settlement.bindings import Binding, SignedBinding
from lucid_tron.settlement.rates import RatePolicy, SignedRatePolicy
from lucid_tron.settlement.service import Settlements
from lucid_tron.settlement.settle import Intent, Settlement, payout_id, settle
from lucid_tron.settlement.statement import Entitlement, Statement, read_statement

__all__ = [
    "Binding",
    "Entitlement",
    "Intent",
    "RatePolicy",
    "Settlement",
    "Settlements",
    "SignedBinding",
    "SignedRatePolicy",
    "Statement",
    "payout_id",
    "read_statement",
    "settle",
]
