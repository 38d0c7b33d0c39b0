"""Signing on libsecp256k1: RFC 6979 nonces, low s, and a recovery id that is 27 or 28, always.

java-tron accepts recovery ids 0, 1, 27 and 28 for the same signature. Lucid writes 27 and 28 as tronweb does,
so that one key and one transaction give one sequence of bytes, and normalises what it reads.
"""

from __future__ import annotations

import secrets
from typing import Any, NoReturn, final

import coincurve
from Crypto.Hash import keccak

from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.keys.errors import HighS, InvalidPrivateKey, InvalidSignature

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of secp256k1 (SEC 2, section 2.4.1)."""
HALF_ORDER = ORDER // 2


@final
class PrivateKey:
    """A key that can sign. It has an address and shows nothing else of itself.

    Raises
    ------
    InvalidPrivateKey
        If `secret` is not 32 bytes, or not between 1 and the order of the curve less one.
    """

    __slots__ = ("_key", "address")
    address: Address

    def __init__(self, secret: bytes) -> None:
        # The value never goes into the message: errors are logged.
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise InvalidPrivateKey("A private key is 32 bytes between 1 and the order of the curve less one")
        self._key = coincurve.PrivateKey(secret)
        self.address = Address.of_public_key(self._key.public_key.format(compressed=False))

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new key from the operating system's randomness."""
        while True:
            secret = secrets.token_bytes(32)
            if 0 < int.from_bytes(secret, "big") < ORDER:
                return cls(secret)

    @classmethod
    def from_hex(cls, text: str) -> PrivateKey:
        """Read 64 hexadecimal digits.

        Raises
        ------
        InvalidPrivateKey
            If they are not; the message does not repeat them.
        """
        try:
            secret = bytes.fromhex(text.strip().removeprefix("0x"))
        except ValueError:
            raise InvalidPrivateKey("A private key is 64 hexadecimal digits") from None
        return cls(secret)

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes: r ‖ s ‖ v, 65 bytes, s low, v 27 or 28.

        For digests computed in this process from something that was decoded; there is no caller that
        passes on what a node says.
        """
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))

    def sign(self, raw: RawTransaction) -> SignedTransaction:
        """Encode a transaction, compute its txID and sign that."""
        encoded = transaction.encode(raw)
        return SignedTransaction(encoded, (self.sign_digest(transaction.txid(encoded)),))

    def cosign(self, signed: SignedTransaction) -> SignedTransaction:
        """Add this key's signature (multi-signature permissions), once.

        Raises
        ------
        CodecError
            If the bytes are not a canonical transaction.
        """
        transaction.decode(signed.raw)
        signature = self.sign_digest(signed.txid)
        if signature in signed.signatures:
            return signed
        return SignedTransaction(signed.raw, (*signed.signatures, signature))

    def reveal(self) -> bytes:
        """The 32 secret bytes, for the keystore that encrypts them and for nobody else."""
        return bytes(self._key.secret)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and secrets.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> int:
        return hash(self.address)

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.address})"

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("A private key is neither pickled nor copied")


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum and TRON use it (not the SHA3-256 of FIPS 202)."""
    return keccak.new(digest_bits=256, data=data).digest()


def recover(digest: bytes, signature: bytes) -> Address:
    """The address whose key made `signature` (65 bytes, v 0, 1, 27 or 28) over 32 bytes.

    Raises
    ------
    HighS
        If s is above half the order: anyone can make such a copy of a signature without the key.
    InvalidSignature
        If it is malformed or belongs to no key.
    """
    if len(signature) != 65:
        raise InvalidSignature(f"A signature has 65 bytes, not {len(signature)}")
    v = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if v not in (0, 1):
        raise InvalidSignature(f"{signature[64]} is no recovery id")
    s = int.from_bytes(signature[32:64], "big")
    if s > HALF_ORDER:
        raise HighS("s is above half the order of the curve")
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes((v,)), digest, hasher=None
        )
    except Exception as error:
        raise InvalidSignature("No key can have made this signature") from error
    return Address.of_public_key(key.format(compressed=False))


def signers(signed: SignedTransaction) -> tuple[Address, ...]:
    """Who signed a transaction, in order.

    Raises
    ------
    InvalidSignature, HighS
        If a signature is not acceptable.
    """
    return tuple(recover(signed.txid, signature) for signature in signed.signatures)
