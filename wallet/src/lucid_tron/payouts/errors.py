"""Why a payout does not go on."""

from lucid_kit.errors import DomainError, LimitExceeded, NotFound, SystemFault, ValidationFailed


class InvalidPayout(ValidationFailed):
    """A payout is not of the form it must have."""

    code = "LUCID_ERR_1770"
    advice = "Correct the id (1 to 64 of a–z, A–Z, 0–9, _ - .), the recipient or the amount."


class PayoutNotFound(NotFound):
    """There is no payout with that id."""

    code = "LUCID_ERR_1771"
    advice = "List the payouts to see their ids."


class RecoveryNotFound(NotFound):
    """No recovery was begun."""

    code = "LUCID_ERR_1832"
    advice = "Begin one with POST /payouts/recovery, if these books were restored from a backup."


class NothingToBeginWith(ValidationFailed):
    """It cannot be said from which block on these books may lack something."""

    code = "LUCID_ERR_1833"
    advice = "Give first_block: a block before the oldest payment that the books may lack."


class InvalidSchedule(ValidationFailed):
    """A schedule is not of the form it must have."""

    code = "LUCID_ERR_1830"
    advice = (
        "Give every (day or week), minute of the day (0 to 1439, UTC), and weekday (0 Monday to 6 Sunday)."
    )


class ScheduleNotFound(NotFound):
    """There is no schedule of that name."""

    code = "LUCID_ERR_1831"
    advice = "List the schedules to see their names."


class PayoutConflict(DomainError):
    """A payout with this id exists and says something else."""

    code = "LUCID_ERR_4770"
    advice = "An id stands for one payment for ever: compare the two, and use a new id for a new payment."


class WrongState(DomainError):
    """A payout in this state does not allow that."""

    code = "LUCID_ERR_4771"
    advice = "Read the payout again; what was sent cannot be cancelled, and what failed must be retried."


class SecondPersonNeeded(DomainError):
    """The same person cannot approve twice, nor approve a large payout of their own."""

    code = "LUCID_ERR_4772"
    advice = "Ask another person to approve it."


class OverEpochCap(LimitExceeded):
    """The epoch's cap forbids this payout."""

    code = "LUCID_ERR_3770"
    advice = (
        "Check what asks for it; if it is right, two people raise PER_PAYOUT or PER_EPOCH of the payout"
        " service and restart it."
    )


class StatementWaits(DomainError):
    """A statement was accepted and its payouts wait, for a cap or another rule of this service."""

    code = "LUCID_ERR_4834"
    advice = (
        "Nothing is lost, and handing it in again changes nothing. Check the statement; if it is right,"
        " correct what `detail` names (two people raise a cap), restart, POST /payouts/statements/resubmit."
    )


class NotStopped(DomainError):
    """Books are recovered only while payouts are stopped."""

    code = "LUCID_ERR_4835"
    advice = "Stop them first with POST /payouts/halt."


class NotRecovered(DomainError):
    """The books may lack what was paid, so they are not taken for the newest."""

    code = "LUCID_ERR_4836"
    advice = (
        "GET /payouts/recovery says what lacks. Put it right (docs/payouts.md § A restored database), run"
        " POST /payouts/recovery again, wait until it is finished, and then accept the books."
    )


class BatchReverts(DomainError):
    """The router would revert a batch."""

    code = "LUCID_ERR_4830"
    advice = (
        "Nothing was signed. Read the reason: correct the payout it names, or the router's caps or roles."
    )

    def __init__(self, detail: str, *, reason: str, payout: str | None) -> None:
        super().__init__(detail, reason=reason, payout=payout)
        self.reason = reason
        self.payout = payout


class ProcessorRunning(DomainError):
    """Another payout processor works with this guard directory or this database."""

    code = "LUCID_ERR_4831"
    advice = "Stop the other processor; two at once are never needed."


class BooksNotNewest(SystemFault):
    """The database is not the one that payouts were last sent from: an older copy, or another."""

    code = "LUCID_ERR_5830"
    status = 503
    advice = (
        "Send nothing. Reconcile the books with the chain (runbook: restored database), then accept them."
    )


class GuardMissing(SystemFault):
    """There is no ledger head outside of the database to compare it with."""

    code = "LUCID_ERR_5831"
    status = 503
    advice = (
        "Restore that file. If it is gone for good, `python -m lucid_tron.up head --data DIR` makes one"
        " with which nothing is sent before the books were recovered (docs/payouts.md § A restored database)."
    )


class PayoutsHalted(SystemFault):
    """Payouts are stopped because the books do not balance."""

    code = "LUCID_ERR_5770"
    status = 503
    advice = "Find the difference with the runbook of reconciliation, then resume by hand."


class LedgerBroken(SystemFault):
    """The ledger was altered: an entry does not follow from the one before it."""

    code = "LUCID_ERR_5771"
    advice = "Stop. Restore the database from a backup whose ledger verifies, then reconcile with the chain."
