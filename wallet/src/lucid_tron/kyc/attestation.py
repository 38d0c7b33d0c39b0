"""One attestation as TIP-712 data, its file, and its signature (docs/specs/kyc.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lucid_proof import fields
from lucid_proof.canonical import JSON, MAX_INTEGER, decode, encode
from lucid_proof.errors import MalformedRecord, ProofError
from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import CodecError
from lucid_tron.keys.errors import HighS, InvalidSignature
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.keys.typed_data import TypedData
from lucid_tron.kyc.errors import AttestationRefused, MalformedAttestation

FORMAT: Final = "lucid-attestation/1"
MAX_FILE: Final = 16 * 1024
_FIELDS: Final = (
    ("subject", "address"),
    ("level", "uint8"),
    ("expiry", "uint64"),
    ("nonce", "uint64"),
    ("chainId", "uint256"),
    ("router", "address"),
)
_MEMBERS: Final = ("chain_id", "expiry", "format", "level", "nonce", "router", "sig", "subject")


@dataclass(frozen=True, slots=True)
class Attestation:
    """That `subject` may be paid up to the cap of `level` (1 … 255) until `expiry`, seconds since 1970.

    It counts on one router of one chain. A subject's nonces only rise: a later one replaces it.
    """

    subject: Address
    level: int
    expiry: int
    nonce: int
    chain_id: int
    router: Address

    def __post_init__(self) -> None:
        fields.integer(self.level, "level", 0, 255)
        fields.integer(self.expiry, "expiry", 1)
        fields.integer(self.nonce, "nonce", 1)
        fields.integer(self.chain_id, "chain_id", 1, MAX_INTEGER)

    def values(self) -> tuple[Any, ...]:
        """As the contract's struct."""
        return (self.subject, self.level, self.expiry, self.nonce, self.chain_id, self.router)

    def typed(self) -> TypedData:
        """What an issuer signs; a hardware wallet shows it field by field."""
        return TypedData(
            domain={
                "name": "Lucid KYC Payout Router",
                "version": "1",
                "chainId": self.chain_id,
                "verifyingContract": self.router,
            },
            types={"Attestation": _FIELDS},
            primary="Attestation",
            message=dict(zip([name for name, _ in _FIELDS], self.values(), strict=True)),
        )

    def sign(self, issuer: PrivateKey) -> SignedAttestation:
        """Sign as an issuer: low s, v 27 or 28, as the contract demands."""
        return SignedAttestation(self, self.typed().sign(issuer))


@dataclass(frozen=True, slots=True)
class SignedAttestation:
    """An attestation with its issuer's signature, 65 bytes."""

    attestation: Attestation
    sig: bytes

    @property
    def issuer(self) -> Address:
        """Who signed it.

        Raises
        ------
        AttestationRefused
            If the signature is none, or has a twin (high s).
        """
        try:
            return self.attestation.typed().signer(self.sig)
        except (InvalidSignature, HighS) as error:
            raise AttestationRefused(f"The attestation's signature is none: {error.detail}") from error

    @property
    def parts(self) -> tuple[int, bytes, bytes]:
        """v, r, s as `attest` takes them."""
        v = self.sig[64]
        return (v if v >= 27 else v + 27), self.sig[:32], self.sig[32:64]

    def encoded(self) -> bytes:
        """The file: canonical JSON."""
        said = self.attestation
        content: dict[str, JSON] = {
            "chain_id": said.chain_id,
            "expiry": said.expiry,
            "format": FORMAT,
            "level": said.level,
            "nonce": said.nonce,
            "router": said.router.base58,
            "sig": self.sig.hex(),
            "subject": said.subject.base58,
        }
        return encode(content)

    @classmethod
    def read(cls, data: bytes) -> SignedAttestation:
        """Read a file; who signed it is not judged.

        Raises
        ------
        MalformedAttestation
            If it is not of its form.
        """
        try:
            if len(data) > MAX_FILE:
                raise MalformedRecord(f"{len(data)} bytes; at most {MAX_FILE} are read", "attestation")
            found = fields.members(decode(data), _MEMBERS, "attestation")
            fields.one_of(found["format"], (FORMAT,), "format")
            said = Attestation(
                _address(found["subject"], "subject"),
                found["level"],
                found["expiry"],
                found["nonce"],
                found["chain_id"],
                _address(found["router"], "router"),
            )
            return cls(said, fields.binary(found["sig"], "sig", 65))
        except (ProofError, CodecError) as error:
            raise MalformedAttestation(f"The attestation cannot be read: {error}") from error


def _address(value: object, where: str) -> Address:
    address = Address.parse(fields.text(value, where, 64))
    if address.base58 != value:
        raise MalformedRecord("not an address in base58", where)
    return address
