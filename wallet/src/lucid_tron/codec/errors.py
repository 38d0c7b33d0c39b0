"""Why bytes, text or JSON were refused. One class for each rule, so that a test can name the rule."""

from lucid_kit.errors import ValidationFailed


class CodecError(ValidationFailed):
    """This is not a well-formed piece of a TRON transaction."""

    code = "LUCID_ERR_1700"
    advice = "Do not sign or broadcast it. Build the transaction again, or ask another node."


class MalformedAddress(CodecError):
    """This is not a TRON address."""

    code = "LUCID_ERR_1701"
    advice = (
        "Give the address as base58check (T…, 34 characters) or as 42 hexadecimal digits starting with 41."
    )


class ChecksumMismatch(MalformedAddress):
    """The checksum of the address is wrong: a character was mistyped or lost."""

    code = "LUCID_ERR_1702"
    advice = "Copy the address again from its owner; never correct it by hand."


class Truncated(CodecError):
    """The bytes end inside a field."""

    code = "LUCID_ERR_1703"


class NonMinimalVarint(CodecError):
    """A number is written in more bytes than it needs, which would give one transaction two txIDs."""

    code = "LUCID_ERR_1704"


class VarintOverflow(CodecError):
    """A number does not fit its field."""

    code = "LUCID_ERR_1705"


class UnknownField(CodecError):
    """A field is present that this codec does not know, so nobody could say what would be signed."""

    code = "LUCID_ERR_1706"


class WrongWireType(CodecError):
    """A field has the wire type of another kind of value."""

    code = "LUCID_ERR_1707"


class FieldOrder(CodecError):
    """Fields are out of order or one is written twice."""

    code = "LUCID_ERR_1708"


class DefaultWritten(CodecError):
    """A default value is written out, which the canonical encoding leaves out."""

    code = "LUCID_ERR_1709"


class MissingField(CodecError):
    """A field that the contract cannot do without is missing."""

    code = "LUCID_ERR_1710"


class InvalidText(CodecError):
    """A text field is not UTF-8."""

    code = "LUCID_ERR_1711"


class UnknownContract(CodecError):
    """The contract type is none of those this codec knows."""

    code = "LUCID_ERR_1712"


class ContractTypeMismatch(CodecError):
    """The contract's number and the type URL of its parameter name two different contracts."""

    code = "LUCID_ERR_1713"


class ContractCount(CodecError):
    """A TRON transaction holds exactly one contract."""

    code = "LUCID_ERR_1714"


class ValueOutOfRange(CodecError):
    """A value does not fit the type of its field."""

    code = "LUCID_ERR_1715"


class MalformedJson(CodecError):
    """The JSON form of a transaction is not what TRON nodes speak."""

    code = "LUCID_ERR_1716"


class JsonDisagrees(CodecError):
    """The JSON form of a transaction says something else than its bytes or its txID."""

    code = "LUCID_ERR_1717"
    advice = "The sender is faulty or lying: do not use anything it answered, and take it out of the pool."
