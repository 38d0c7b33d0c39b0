"""Why a statement, a rate policy or a binding is not taken."""

from lucid_kit.errors import DomainError, NotFound, ValidationFailed


class MalformedStatement(ValidationFailed):
    """A settlement statement is not of its form."""

    code = "LUCID_ERR_1820"
    advice = "Compare the file with docs/specs/settlement.md, or export the statement again."


class MalformedRatePolicy(ValidationFailed):
    """A rate policy is not of its form."""

    code = "LUCID_ERR_1821"
    advice = "Compare it with docs/specs/settlement.md § Rate policy."


class MalformedBinding(ValidationFailed):
    """A binding of a payout address is not of its form."""

    code = "LUCID_ERR_1822"
    advice = "Compare it with docs/specs/settlement.md § Payout address."


class SettlementNotFound(NotFound):
    """No statement of that chain and epoch was accepted."""

    code = "LUCID_ERR_1823"
    advice = "List the accepted statements to see their epochs."


class StatementAltered(DomainError):
    """A statement is not what the chain's log holds."""

    code = "LUCID_ERR_4820"
    advice = "Pay nothing from this file; get the statement and its proof from the log again."


class UntrustedChain(DomainError):
    """A statement is of a chain, or signed by keys, that this wallet plane does not trust."""

    code = "LUCID_ERR_4821"
    advice = "Check that trust.json is of the chain that pays; add a chain only in the key ceremony."


class StatementReplayed(DomainError):
    """This very statement was accepted before."""

    code = "LUCID_ERR_4822"
    advice = "Nothing is lost: its payouts exist. Read them by chain and epoch instead."


class OverlappingStatement(DomainError):
    """A statement covers an epoch or blocks that an accepted statement covers."""

    code = "LUCID_ERR_4823"
    advice = "Stop and ask the chain's operators: two statements for one epoch mean a fault or a fork."


class NoRatePolicy(DomainError):
    """No rate policy was in force when the statement's epoch began."""

    code = "LUCID_ERR_4824"
    advice = "Publish a rate policy; it counts for epochs that begin at its date or later."


class RatePolicyRefused(DomainError):
    """A rate policy is not signed by an authority, out of order, or dated back."""

    code = "LUCID_ERR_4825"
    advice = "Number versions 1, 2, 3, …, date them in the future, and sign with a listed authority's key."


class BindingRefused(DomainError):
    """A payout address is not bound, because a signature, the nonce or the time is not right."""

    code = "LUCID_ERR_4826"
    advice = "Make a new binding with the next nonce and sign it with both keys before it expires."


class TooMuchOwed(DomainError):
    """An amount is greater than can be written down exactly."""

    code = "LUCID_ERR_4827"
    advice = "Check credits and rate: no payout of USDT can be above 2⁵³−1 millionths."
