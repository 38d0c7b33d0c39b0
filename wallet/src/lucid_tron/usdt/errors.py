"""Why a token operation is refused before it is signed, or not credited after it was mined."""

from lucid_kit.errors import DomainError


class TokenPaused(DomainError):
    """The issuer has paused the token; every transfer would revert."""

    code = "LUCID_ERR_4710"
    advice = "Wait until the issuer resumes it; payouts stay pending and nothing is lost."


class SenderFrozen(DomainError):
    """The issuer has frozen the sending account."""

    code = "LUCID_ERR_4711"
    advice = "Stop payouts from this wallet and speak with the issuer."


class RecipientFrozen(DomainError):
    """The issuer has frozen the receiving account: the money would arrive and stay there."""

    code = "LUCID_ERR_4712"
    advice = "Ask the recipient for another address; it must be bound again with both signatures."


class UnfitRecipient(DomainError):
    """Money sent to this address could not be taken out again."""

    code = "LUCID_ERR_4713"
    advice = "Use an address of the recipient's own; never the token, the sender or the zero address."


class InsufficientFunds(DomainError):
    """The wallet holds less than is to be sent."""

    code = "LUCID_ERR_4714"
    advice = "Top up the wallet (`facts` says by how much), then try again; nothing was signed."


class FeeTooHigh(DomainError):
    """The call needs a higher fee limit than is allowed."""

    code = "LUCID_ERR_4715"
    advice = "Stake or rent energy, or raise the cap if the price of energy has really risen."


class NotPaid(DomainError):
    """A mined transaction did not move the money it was meant to move."""

    code = "LUCID_ERR_4716"
    advice = "Look at the transaction; it is kept as failed, and the payout goes back to pending by hand."


class UnclearPayment(NotPaid):
    """A mined transaction succeeded and moved something else than it was meant to."""

    code = "LUCID_ERR_4717"
    advice = "Payouts are stopped: look at the transaction before anything is paid again."
