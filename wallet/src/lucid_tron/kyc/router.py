"""What the KYC router on chain says, and the calls that change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lucid_tron import abi
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.kyc.attestation import Attestation, SignedAttestation
from lucid_tron.usdt.errors import InsufficientFunds
from lucid_tron.usdt.fees import FeePolicy, bandwidth_of, fee_for

ATTEST = "attest((address,uint8,uint64,uint64,uint256,address),uint8,bytes32,bytes32)"
REVOKE = "revoke(address,uint64)"
DIGEST = "digestOf((address,uint8,uint64,uint64,uint256,address))"


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts for a subject on chain. `expiry` in seconds; all zero when there is nothing, or revoked."""

    issuer: Address
    level: int
    expiry: int
    nonce: int


class KycRouter:
    """A KYC payout router; reads are of solid blocks, agreed by a quorum."""

    def __init__(self, client: TronClient, address: Address, fees: FeePolicy | None = None) -> None:
        self._client = client
        self._fees = fees or FeePolicy()
        self.address = address

    async def is_issuer(self, who: Address) -> bool:
        """Whether the router lists an issuer."""
        return bool((await self._read("isIssuer(address)", ("bool",), who))[0])

    async def standing(self, subject: Address) -> Standing:
        """The newest attestation that was brought for a subject and not revoked."""
        kinds = ("address", "uint8", "uint64", "uint64")
        return Standing(*await self._read("standingOf(address)", kinds, subject))

    async def level(self, subject: Address) -> int | None:
        """The level that counts now; None if the subject is not attested, or no more."""
        attested, level = await self._read("levelOf(address)", ("bool", "uint8"), subject)
        return int(level) if attested else None

    async def level_cap(self, level: int) -> int:
        """The most units that a subject of a level may get in one epoch."""
        return int((await self._read("levelCap(uint8)", ("uint256",), level))[0])

    async def allowance(self, subject: Address) -> int:
        """Units that a subject may still get in the router's present epoch."""
        level = await self.level(subject)
        if level is None:
            return 0
        cap = await self.level_cap(level)
        (epoch,) = await self._read("currentEpoch()", ("uint256",))
        (received,) = await self._read("receivedInEpoch(uint256,address)", ("uint256",), epoch, subject)
        return max(0, cap - int(received))

    async def digest(self, attestation: Attestation) -> bytes:
        """What the router takes an issuer to have signed, 32 bytes."""
        said = await self._read(DIGEST, ("bytes32",), attestation.values())
        return bytes(said[0])

    async def prepare_attest(
        self, sender: Address, signed: SignedAttestation, lifetime_ms: int = 60_000
    ) -> RawTransaction:
        """The transaction that brings an attestation; anybody may send it.

        Raises
        ------
        CallReverted
            If the router would refuse it.
        FeeTooHigh, InsufficientFunds
            If it costs more than allowed, or than the sender has.
        """
        return await self._prepare(sender, lifetime_ms, ATTEST, signed.attestation.values(), *signed.parts)

    async def prepare_revoke(
        self, issuer: Address, subject: Address, nonce: int, lifetime_ms: int = 60_000
    ) -> RawTransaction:
        """The transaction that ends a subject's standing and every attestation up to `nonce`; as above."""
        return await self._prepare(issuer, lifetime_ms, REVOKE, subject, nonce)

    async def _prepare(
        self, sender: Address, lifetime_ms: int, signature: str, *values: Any
    ) -> RawTransaction:
        data = abi.encode_call(signature, *values)
        called = await self._client.call(sender, self.address, signature, data[4:])
        parameters = await self._client.parameters_agreed()
        resources = await self._client.resources(sender)
        fee = fee_for(called.energy, parameters, resources, self._fees)
        raw = await self._client.prepare(
            TriggerSmartContract(sender, self.address, data=data),
            lifetime_ms=lifetime_ms,
            fee_limit=fee.limit,
        )
        size = bandwidth_of(raw)
        burned = fee.burned + (size * parameters.bandwidth_price if size > resources.bandwidth else 0)
        held = await self._client.balance_agreed(sender)
        if held < burned:
            raise InsufficientFunds(
                f"{sender} lacks {burned - held} sun for fees", missing_sun=burned - held, held_sun=held
            )
        return raw

    async def _read(self, signature: str, kinds: tuple[str, ...], *values: Any) -> tuple[Any, ...]:
        arguments = abi.encode_call(signature, *values)[4:]
        output = await self._client.call_agreed(self.address, self.address, signature, arguments)
        return abi.decode(kinds, output)
