"""What can be wrong with keys, phrases, paths and signatures."""

from lucid_kit.errors import ValidationFailed


class InvalidPrivateKey(ValidationFailed):
    """These bytes are not a private key of secp256k1."""

    code = "LUCID_ERR_1730"
    advice = "Give 32 bytes (64 hexadecimal digits) between 1 and the order of the curve."


class InvalidSignature(ValidationFailed):
    """This is not a signature that Lucid accepts."""

    code = "LUCID_ERR_1731"
    advice = "Sign again with a wallet that gives 65 bytes: r, s and a recovery id of 0, 1, 27 or 28."


class HighS(InvalidSignature):
    """The signature has a high s: a copy of somebody's signature with a different look."""

    code = "LUCID_ERR_1732"
    advice = "Use the signature as the wallet made it; wallets make low-s signatures (BIP 62)."


class InvalidMnemonic(ValidationFailed):
    """The backup phrase is not one of BIP 39."""

    code = "LUCID_ERR_1733"
    advice = "Check the words, their order and their number (12, 15, 18, 21 or 24, English list)."


class InvalidPath(ValidationFailed):
    """This is not a derivation path of BIP 32."""

    code = "LUCID_ERR_1734"
    advice = "Write it like m/44'/195'/0'/0/0; an index is below 2147483648."


class InvalidTypedData(ValidationFailed):
    """The typed data is not what TIP 712 can hash."""

    code = "LUCID_ERR_1735"
    advice = "Every struct needs exactly the fields of its type, each with a value of that field's type."
