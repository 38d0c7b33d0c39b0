"""What can go wrong with payments."""

from lucid_kit.errors import DomainError, Forbidden, NotFound, SystemFault, Unavailable, ValidationFailed


class InvalidPayment(ValidationFailed):
    """A payment is not of the form it must have."""

    code = "LUCID_ERR_1800"
    advice = "Correct what `detail` names; amounts are integers in 10⁻⁶ USDT."


class PaymentNotFound(NotFound):
    """There is no payment with that id."""

    code = "LUCID_ERR_1801"
    advice = "Check the id that creating the payment answered."


class InvalidWebhookUrl(ValidationFailed):
    """Webhooks are not sent to such an address."""

    code = "LUCID_ERR_1802"
    advice = "Give an https URL without credentials; plain http only to 127.0.0.1, ::1 or localhost."


class WebhookForged(Forbidden):
    """The signature of a webhook is not that of its id, time and body."""

    code = "LUCID_ERR_2800"
    advice = "Do not act on it. Check the secret, and that the body was verified as the exact bytes received."


class WebhookReplayed(Forbidden):
    """A webhook is outside the replay window, or was received before."""

    code = "LUCID_ERR_2801"
    advice = "Answer 2xx and do nothing for an id seen before; check the clock if fresh ones are refused."


class PaymentConflict(DomainError):
    """A payment with this reference exists and says something else."""

    code = "LUCID_ERR_4800"
    advice = "A reference stands for one payment for ever: use a new one for a new payment."


class RefundTooLarge(DomainError):
    """More is to be given back than was received and is not given back yet."""

    code = "LUCID_ERR_4801"
    advice = "Read the payment: refunds together can be at most what was credited."


class RefundConflict(DomainError):
    """A refund with this id exists and says something else."""

    code = "LUCID_ERR_4802"
    advice = "A refund id stands for one refund for ever: use a new id for another one."


class NothingToDeliver(DomainError):
    """The payment has no webhook, or no event yet."""

    code = "LUCID_ERR_4803"
    advice = "Give a webhook URL when creating a payment; read the payment itself meanwhile."


class SweepGivenUp(DomainError):
    """Sweeping an address failed on the chain several times, each time costing a fee."""

    code = "LUCID_ERR_4804"
    advice = "Look at the failed transactions of this address, then sweep it by hand."


class ChainRewritten(SystemFault):
    """A block that was solid is another one now."""

    code = "LUCID_ERR_5800"
    advice = "Payouts are stopped. The nodes belong to another network, or were compromised: replace them."


class CannotReconcile(Unavailable):
    """The chain did not hold still long enough to compare, or nodes are behind."""

    code = "LUCID_ERR_5801"
    advice = "Nothing is wrong yet: it is tried again; check the nodes if it persists for an hour."


class HaltOwed(Unavailable):
    """The books do not balance, and the payout service was not reached to stop payouts."""

    code = "LUCID_ERR_5802"
    advice = (
        "Start the payout service: it asks before it pays. If it runs, check PAYOUTS_URL and the halt token,"
        " and stop payouts by hand until it is reached."
    )
