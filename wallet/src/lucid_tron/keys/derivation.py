"""Deriving many keys from one seed: BIP 32, with the paths that BIP 44 and SLIP 44 give TRON (coin type 195).

https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki, "Private parent key → private child key".
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

import coincurve

from lucid_tron.keys.errors import InvalidPath
from lucid_tron.keys.signing import ORDER, PrivateKey

HARDENED = 1 << 31
COIN_TYPE = 195
_MAX_DEPTH = 255


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """A private key and its chain code. Neither is shown."""

    secret: bytes = field(repr=False)
    chain_code: bytes = field(repr=False)

    @classmethod
    def master(cls, seed: bytes) -> ExtendedKey:
        """The root of the tree of a seed of 16 to 64 bytes.

        Raises
        ------
        InvalidPath
            If the seed has another length, or (once in 2^127) makes no key.
        """
        if not 16 <= len(seed) <= 64:
            raise InvalidPath(f"A seed has 16 to 64 bytes, not {len(seed)}")
        return cls._of(hmac.digest(b"Bitcoin seed", seed, "sha512"), 0)

    def child(self, index: int) -> ExtendedKey:
        """The child with this index; 2^31 and above are hardened.

        Raises
        ------
        InvalidPath
            If the index is not below 2^32, or (once in 2^127) has no key: take the next one.
        """
        if not 0 <= index < 1 << 32:
            raise InvalidPath(f"{index} is no index: it is not below 2^32")
        if index >= HARDENED:
            data = b"\x00" + self.secret
        else:
            data = coincurve.PublicKey.from_valid_secret(self.secret).format()
        digest = hmac.digest(self.chain_code, data + index.to_bytes(4, "big"), "sha512")
        return self._of(digest, int.from_bytes(self.secret, "big"))

    @classmethod
    def _of(cls, digest: bytes, parent: int) -> ExtendedKey:
        tweak = int.from_bytes(digest[:32], "big")
        secret = (tweak + parent) % ORDER
        if tweak >= ORDER or secret == 0:
            raise InvalidPath("This index has no key; take the next one")
        return cls(secret.to_bytes(32, "big"), digest[32:])

    def at(self, path: str) -> ExtendedKey:
        """The key at a path from here, which stands for m.

        Raises
        ------
        InvalidPath
            If the path is malformed.
        """
        key = self
        for index in parse_path(path):
            key = key.child(index)
        return key

    @property
    def private_key(self) -> PrivateKey:
        """The key that signs."""
        return PrivateKey(self.secret)


def parse_path(path: str) -> tuple[int, ...]:
    """The indexes of a path like m/44'/195'/0'/0/0.

    Raises
    ------
    InvalidPath
        If it is malformed.
    """
    root, *steps = path.split("/")
    if root != "m" or len(steps) > _MAX_DEPTH:
        raise InvalidPath(f"{path[:64]!r} does not begin with m")
    indexes = []
    for step in steps:
        digits = step.removesuffix("'")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 10 or int(digits) >= HARDENED:
            raise InvalidPath(f"{step[:32]!r} in a path is no index")
        indexes.append(int(digits) + (HARDENED if step.endswith("'") else 0))
    return tuple(indexes)


def account_path(account: int, index: int = 0) -> str:
    """The path of TRON's BIP 44 keys, as Ledger, Trezor and TronLink use it: m/44'/195'/account'/0/index."""
    return f"m/44'/{COIN_TYPE}'/{account}'/0/{index}"


def derive(seed: bytes, account: int = 0, index: int = 0) -> PrivateKey:
    """The TRON key of a BIP 39 seed at an account and index.

    Raises
    ------
    InvalidPath
        If one of them is out of range.
    """
    return ExtendedKey.master(seed).at(account_path(account, index)).private_key
