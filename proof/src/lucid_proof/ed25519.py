"""Ed25519 (RFC 8032): the arithmetic is `cryptography`'s; this adds what that leaves out."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64

_P: Final = 2**255 - 19
# Points of small order: under such a "key" one signature fits many messages, so it binds nobody to anything.
# Encodings of y without the sign bit, the non-canonical ones among them (libsodium: ge25519_has_small_order).
_SMALL_ORDER: Final = frozenset(
    {
        0,
        1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
        ),
        _P - 1,
        _P,
        _P + 1,
    }
)


def public_bytes(private: Ed25519PrivateKey) -> bytes:
    """The 32-byte public key of a private one."""
    return private.public_key().public_bytes_raw()


def is_weak(public: bytes) -> bool:
    """Whether a 32-byte public key is a point of small order, under which a signature means nothing."""
    return int.from_bytes(public, "little") & (2**255 - 1) in _SMALL_ORDER


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (64 bytes) is the key's over `message`. False for a key that is no key."""
    key = _key(public)
    if key is None:
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _key(public: bytes) -> Ed25519PublicKey | None:
    if len(public) != KEY_SIZE or is_weak(public):
        return None
    return Ed25519PublicKey.from_public_bytes(public)
