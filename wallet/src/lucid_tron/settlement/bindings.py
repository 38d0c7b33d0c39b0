"""Payout addresses, `lucid-payout-binding/1`: an operator and a TRON address that vouch for each other.

Both keys sign, so that nobody is paid at an address they do not hold, and nobody can bind somebody else's
operator. The text for the TRON key is ASCII of at most 200 bytes, because a Ledger signs longer messages
wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_proof import domains, ed25519, fields
from lucid_proof.canonical import JSON, decode, encode
from lucid_proof.errors import MalformedRecord, ProofError
from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import CodecError
from lucid_tron.keys.errors import HighS, InvalidSignature
from lucid_tron.keys.messages import message_signer, sign_message
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.settlement.errors import BindingRefused, MalformedBinding

FORMAT: Final = "lucid-payout-binding/1"
_DOMAIN: Final = b"lucid-payout-binding/1\n"
MAX_FILE: Final = 16 * 1024
MAX_AHEAD_MS: Final = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Binding:
    """`operator` (Ed25519, 32 bytes) of a chain is to be paid at `address`.

    `nonce` is greater than in every earlier binding of the operator; nobody takes the binding after
    `expires_ms`.
    """

    origin: str
    operator: bytes
    address: Address
    nonce: int
    expires_ms: int

    def __post_init__(self) -> None:
        fields.text(self.origin, "chain")
        fields.integer(self.nonce, "nonce", 1)
        fields.integer(self.expires_ms, "expires")
        if len(self.operator) != ed25519.KEY_SIZE or ed25519.is_weak(self.operator):
            raise MalformedRecord("not a usable Ed25519 public key", "operator")

    def to_json(self) -> dict[str, JSON]:
        return {
            "address": self.address.base58,
            "chain": self.origin,
            "expires": self.expires_ms,
            "format": FORMAT,
            "nonce": self.nonce,
            "operator": self.operator.hex(),
        }

    @classmethod
    def from_json(cls, value: object) -> Binding:
        """Raises `MalformedRecord`; `CodecError` for an address with a wrong checksum."""
        names = ("address", "chain", "expires", "format", "nonce", "operator")
        found = fields.members(value, names, "binding")
        fields.one_of(found["format"], (FORMAT,), "binding.format")
        address = Address.parse(fields.text(found["address"], "address", 64))
        if address.base58 != found["address"]:
            raise MalformedRecord("not an address in base58", "address")
        operator = fields.binary(found["operator"], "operator")
        return cls(found["chain"], operator, address, found["nonce"], found["expires"])

    def operator_message(self) -> bytes:
        """What the operator's Ed25519 key signs."""
        return _DOMAIN + encode(self.to_json())

    def tron_message(self) -> str:
        """What the address's key signs with signMessageV2: 163 ASCII characters."""
        digest = domains.digest(self.operator_message()).hex()
        return f"Lucid payouts of operator {self.operator.hex()} binding {digest}"


@dataclass(frozen=True, slots=True)
class SignedBinding:
    """A binding with the operator's signature (64 bytes) and the address's (65 bytes)."""

    binding: Binding
    operator_sig: bytes
    tron_sig: bytes

    @classmethod
    def sign(cls, binding: Binding, operator: Ed25519PrivateKey, key: PrivateKey) -> SignedBinding:
        return cls(
            binding,
            operator.sign(binding.operator_message()),
            sign_message(key, binding.tron_message()),
        )

    def encoded(self) -> bytes:
        """The file: canonical JSON."""
        return encode(
            {
                "binding": self.binding.to_json(),
                "operator_sig": self.operator_sig.hex(),
                "tron_sig": self.tron_sig.hex(),
            }
        )

    @classmethod
    def read(cls, data: bytes, now_ms: int) -> SignedBinding:
        """Read a binding's file and check both signatures and its time.

        Raises
        ------
        MalformedBinding
            If it is not of its form.
        BindingRefused
            If a signature is not the right key's, or it has expired or lasts for more than a week.
        """
        try:
            if len(data) > MAX_FILE:
                raise MalformedRecord(f"{len(data)} bytes; at most {MAX_FILE} are read", "binding")
            file = fields.members(decode(data), ("binding", "operator_sig", "tron_sig"), "binding")
            signed = cls(
                Binding.from_json(file["binding"]),
                fields.binary(file["operator_sig"], "operator_sig", 64),
                fields.binary(file["tron_sig"], "tron_sig", 65),
            )
        except (ProofError, CodecError) as error:
            raise MalformedBinding(f"The binding cannot be read: {error}") from error
        signed._check(now_ms)
        return signed

    def _check(self, now_ms: int) -> None:
        binding = self.binding
        if not now_ms < binding.expires_ms <= now_ms + MAX_AHEAD_MS:
            raise BindingRefused("The binding has expired, or expires more than a week from now")
        if not ed25519.verify(binding.operator, self.operator_sig, binding.operator_message()):
            raise BindingRefused("The operator's key did not sign this binding")
        try:
            signer = message_signer(binding.tron_message(), self.tron_sig)
        except (InvalidSignature, HighS) as error:
            raise BindingRefused(f"The address's signature is none: {error.detail}") from error
        if signer != binding.address:
            raise BindingRefused(f"{signer} signed this binding, not {binding.address}")
