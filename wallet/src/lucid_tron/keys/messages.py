"""Signed text: tronweb's `signMessageV2` (TIP 191 with TRON's prefix)."""

from __future__ import annotations

from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import PrivateKey, keccak256, recover

_PREFIX = b"\x19TRON Signed Message:\n"


def message_digest(message: bytes | str) -> bytes:
    """Keccak-256 of prefix ‖ length in bytes as decimal text ‖ message, 32 bytes. Text is UTF-8."""
    raw = message.encode() if isinstance(message, str) else message
    return keccak256(_PREFIX + str(len(raw)).encode() + raw)


def sign_message(key: PrivateKey, message: bytes | str) -> bytes:
    """Sign a message, 65 bytes. The prefix keeps it from ever being a transaction."""
    return key.sign_digest(message_digest(message))


def message_signer(message: bytes | str, signature: bytes) -> Address:
    """Who signed a message.

    Raises
    ------
    InvalidSignature, HighS
        If the signature is not acceptable.
    """
    return recover(message_digest(message), signature)
