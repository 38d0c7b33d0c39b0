"""Rate policies, `lucid-rate-policy/1`: what a credit is worth (docs/specs/settlement.md § Rate policy).

Integers only. A share is rounded down to the unit; what rounding leaves over stays with the payer and is
written into the settlement, so that the sum is accounted for exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_proof import ed25519, fields
from lucid_proof.canonical import JSON, MAX_INTEGER, decode, encode
from lucid_proof.errors import MalformedRecord, ProofError
from lucid_tron.settlement.errors import MalformedRatePolicy, RatePolicyRefused, TooMuchOwed

FORMAT: Final = "lucid-rate-policy/1"
_DOMAIN: Final = b"lucid-rate-policy/1\n"
MAX_FILE: Final = 64 * 1024
_MEMBERS: Final = ("chain", "credits", "format", "from", "minimum", "units", "version")


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """`units` millionths of USDT for every `credits` credits, in epochs that begin at `from_ms` or later.

    `minimum` (units): an operator who is owed less is not paid yet; it is kept for the next epoch.
    `version` counts 1, 2, 3, … within a chain.
    """

    origin: str
    version: int
    from_ms: int
    units: int
    credits: int
    minimum: int

    def __post_init__(self) -> None:
        fields.text(self.origin, "chain")
        fields.integer(self.version, "version", 1)
        fields.integer(self.from_ms, "from")
        fields.integer(self.units, "units")
        fields.integer(self.credits, "credits", 1)
        fields.integer(self.minimum, "minimum", 1)

    def price(self, credits: int) -> tuple[int, int]:  # noqa: A002 — the field's own word
        """Units for these credits, rounded down, and what rounding left: a numerator over `self.credits`.

        Raises
        ------
        TooMuchOwed
            If the amount cannot be written exactly.
        """
        units, left = divmod(credits * self.units, self.credits)
        if units > MAX_INTEGER:
            raise TooMuchOwed(f"{credits} credits at {self.units}/{self.credits} are {units} units")
        return units, left

    def to_json(self) -> dict[str, JSON]:
        return {
            "chain": self.origin,
            "credits": self.credits,
            "format": FORMAT,
            "from": self.from_ms,
            "minimum": self.minimum,
            "units": self.units,
            "version": self.version,
        }

    @classmethod
    def from_json(cls, value: object) -> RatePolicy:
        """Raises `MalformedRecord` naming the member that is wrong."""
        found: dict[str, Any] = fields.members(value, _MEMBERS, "policy")
        fields.one_of(found["format"], (FORMAT,), "policy.format")
        return cls(
            found["chain"],
            found["version"],
            found["from"],
            found["units"],
            found["credits"],
            found["minimum"],
        )


@dataclass(frozen=True, slots=True)
class SignedRatePolicy:
    """A rate policy with an authority's Ed25519 signature."""

    policy: RatePolicy
    key: bytes
    sig: bytes

    @classmethod
    def sign(cls, policy: RatePolicy, signer: Ed25519PrivateKey) -> SignedRatePolicy:
        message = _DOMAIN + encode(policy.to_json())
        return cls(policy, ed25519.public_bytes(signer), signer.sign(message))

    def encoded(self) -> bytes:
        """The file: canonical JSON."""
        return encode({"key": self.key.hex(), "policy": self.policy.to_json(), "sig": self.sig.hex()})

    @classmethod
    def read(cls, data: bytes, authorities: frozenset[bytes]) -> SignedRatePolicy:
        """Read a policy's file and check who signed it.

        Raises
        ------
        MalformedRatePolicy
            If it is not of its form.
        RatePolicyRefused
            If the signature is not one of an authority's over this policy.
        """
        try:
            if len(data) > MAX_FILE:
                raise MalformedRecord(f"{len(data)} bytes; at most {MAX_FILE} are read", "policy")
            file = fields.members(decode(data), ("key", "policy", "sig"), "policy")
            policy = RatePolicy.from_json(file["policy"])
            key, sig = fields.binary(file["key"], "key"), fields.binary(file["sig"], "sig", 64)
        except ProofError as error:
            raise MalformedRatePolicy(f"The rate policy cannot be read: {error}") from error
        if key not in authorities:
            raise RatePolicyRefused(f"{key.hex()} is no authority for rates")
        if not ed25519.verify(key, sig, _DOMAIN + encode(policy.to_json())):
            raise RatePolicyRefused("The rate policy is not what the authority signed")
        return cls(policy, key, sig)
