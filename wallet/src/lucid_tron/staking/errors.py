"""Why a staking operation is refused before it is signed."""

from lucid_kit.errors import DomainError, ValidationFailed


class InvalidOperation(ValidationFailed):
    """A staking operation is not of the form it must have."""

    code = "LUCID_ERR_1782"
    advice = "Correct what `detail` names; amounts are in sun and at least one TRX."


class UnfreezeQueueFull(DomainError):
    """An account can have 32 stakes unfreezing at once, and this one has them."""

    code = "LUCID_ERR_4782"
    advice = "Wait for the date in `facts`, then withdraw; or cancel all unfreezing; or unstake more at once."


class StakeTooSmall(DomainError):
    """There is less staked, or lent, than is to be taken back."""

    code = "LUCID_ERR_4783"
    advice = "Look at the account's staking status; take back what is lent before it is unstaked."


class NothingToWithdraw(DomainError):
    """Nothing has finished unfreezing, or no reward can be claimed yet."""

    code = "LUCID_ERR_4784"
    advice = "Look at the staking status for the dates; rewards can be claimed once in 24 hours."


class CannotVote(DomainError):
    """These votes cannot be cast."""

    code = "LUCID_ERR_4785"
    advice = "Vote for listed representatives, at most 30, with at most one vote for each staked TRX."


class NotEnoughTrx(DomainError):
    """The wallet holds less TRX than is to be staked."""

    code = "LUCID_ERR_4786"
    advice = "Top up the wallet by what `facts` says is missing, and leave some TRX for fees."


class PlanImpossible(DomainError):
    """No stake can yield so much energy."""

    code = "LUCID_ERR_4787"
    advice = "Plan fewer payouts a day; the chain has only so much energy for all who stake."
