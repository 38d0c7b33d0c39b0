"""TRON addresses: 21 bytes, of which the first is 0x41, shown as base58check (T…, 34 characters)."""

from __future__ import annotations

from hashlib import sha256
from typing import Self

from Crypto.Hash import keccak

from lucid_tron.codec.errors import ChecksumMismatch, MalformedAddress

PREFIX = 0x41
LENGTH = 21
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}


class Address(bytes):
    """A TRON address, equal to its 21 bytes.

    Raises
    ------
    MalformedAddress
        If the bytes are not 21, or the first is not 0x41.
    """

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != LENGTH or raw[0] != PREFIX:
            raise MalformedAddress(
                f"An address is 21 bytes starting with 41, not {len(raw)}: {raw[:24].hex()}"
            )
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read base58check (T…) or 42 hexadecimal digits (41…).

        Raises
        ------
        ChecksumMismatch
            If it reads like base58check and its last four bytes are not the checksum of the others.
        MalformedAddress
            If it is anything else.
        """
        if len(text) == 2 * LENGTH and text.startswith("41"):
            try:
                return cls(bytes.fromhex(text))
            except ValueError:
                raise MalformedAddress(f"{text!r} is not hexadecimal") from None
        raw = _base58_decode(text)
        if len(raw) != LENGTH + 4:
            raise MalformedAddress(f"{text[:64]!r} is not a TRON address")
        if _checksum(raw[:LENGTH]) != raw[LENGTH:]:
            raise ChecksumMismatch(f"The checksum of {text!r} is wrong")
        return cls(raw[:LENGTH])

    @classmethod
    def from_evm(cls, raw: bytes) -> Self:
        """The address that the virtual machine knows by these 20 bytes."""
        return cls(bytes((PREFIX,)) + raw)

    @classmethod
    def of_public_key(cls, uncompressed: bytes) -> Self:
        """The address of a secp256k1 public key given as 65 bytes (04 ‖ x ‖ y)."""
        if len(uncompressed) != 65 or uncompressed[0] != 4:
            raise MalformedAddress("A public key is given as 65 bytes starting with 04")
        return cls.from_evm(keccak.new(digest_bits=256, data=uncompressed[1:]).digest()[12:])

    @classmethod
    def of_contract(cls, txid: bytes, owner: Address) -> Self:
        """The address at which the CreateSmartContract transaction `txid` of `owner` puts its contract."""
        return cls.from_evm(keccak.new(digest_bits=256, data=txid + owner).digest()[12:])

    @property
    def evm(self) -> bytes:
        """The 20 bytes the virtual machine uses."""
        return bytes(self[1:])

    @property
    def base58(self) -> str:
        """T…, 34 characters."""
        return _base58_encode(bytes(self) + _checksum(self))

    def __str__(self) -> str:
        return self.base58

    def __repr__(self) -> str:
        return f"Address({self.base58})"


def _checksum(raw: bytes) -> bytes:
    return sha256(sha256(raw).digest()).digest()[:4]


def _base58_encode(raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _base58_decode(text: str) -> bytes:
    # 34 characters hold every address; longer text is refused before it costs quadratic time.
    if not 0 < len(text) <= 35:
        raise MalformedAddress(f"An address has 34 characters, not {len(text)}")
    number = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None:
            raise MalformedAddress(f"{character!r} does not occur in a base58 address")
        number = number * 58 + digit
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
