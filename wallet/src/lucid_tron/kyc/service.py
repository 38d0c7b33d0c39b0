"""Attestations that were handed in, kept until they expire, and which of them the chain still lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents, DuplicateKey, Index
from lucid_tron.codec.address import Address
from lucid_tron.kyc.attestation import SignedAttestation
from lucid_tron.kyc.errors import AttestationNotFound, AttestationRefused
from lucid_tron.kyc.router import KycRouter

ATTESTATIONS = Collection(
    "kyc_attestations",
    Index("router", "subject", "nonce"),
    Index("router", "expiry"),
    Index("router", "ordered"),
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who may attest, and up to which level; -1: only revoke."""

    address: Address
    highest_level: int


@dataclass(frozen=True, slots=True)
class Known:
    """The newest word on a subject: an attestation's file, or None if it was revoked. `expiry` in seconds."""

    subject: Address
    nonce: int
    issuer: Address
    level: int
    expiry: int
    file: bytes | None
    asked_by: str

    @classmethod
    def read(cls, document: dict[str, Any]) -> Known:
        """As it was stored."""
        file = document["file"]
        return cls(
            Address.parse(document["subject"]),
            document["nonce"],
            Address.parse(document["issuer"]),
            document["level"],
            document["expiry"],
            None if file is None else file.encode(),
            document["asked_by"],
        )


class Attestations:
    """What issuers say of payees of one router. Knows addresses and levels, and no persons.

    Parameters
    ----------
    issuers
        Those whose attestations are taken; the router has its own list, and both must agree.
    """

    collections = (ATTESTATIONS,)

    def __init__(
        self, documents: Documents, clock: Clock, router: Address, chain_id: int, issuers: tuple[Issuer, ...]
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._router = router
        self._chain_id = chain_id
        self._issuers = {each.address: each.highest_level for each in issuers}

    async def prepare(self) -> None:
        """Make the collections and indexes."""
        await self._documents.ensure(*self.collections)

    async def take(self, data: bytes, who: str = "") -> SignedAttestation:
        """Take an attestation's file that somebody handed in; taking the same again does nothing.

        Raises
        ------
        MalformedAttestation, AttestationRefused
            If it is out of form, expired, old, for another router or chain, or not by an issuer of ours.
        """
        signed = SignedAttestation.read(data)
        said = signed.attestation
        if (said.router, said.chain_id) != (self._router, self._chain_id):
            raise AttestationRefused(f"It is for router {said.router} on chain {said.chain_id}")
        if said.expiry * 1000 <= self._clock.now_ms():
            raise AttestationRefused("It has expired")
        issuer = signed.issuer
        if said.level > self._issuers.get(issuer, -1):
            raise AttestationRefused(f"{issuer} may not attest level {said.level} here")
        newest = await self._newest(said.subject)
        if newest is not None and newest["file"] == data.decode():
            return signed
        if newest is not None and said.nonce <= newest["nonce"]:
            raise AttestationRefused(f"The nonce {said.nonce} is not above {newest['nonce']}")
        document = self._document(said.subject, said.nonce) | {
            "issuer": str(issuer),
            "level": said.level,
            "expiry": said.expiry,
            "file": data.decode(),
            "asked_by": who,
        }
        try:
            await self._insert(document)
        except AttestationRefused:
            stored = await self._newest(said.subject)
            if stored is None or stored["file"] != data.decode():  # else somebody handed it in just before
                raise
        return signed

    async def revoke(self, subject: Address, nonce: int, by: Address, who: str = "") -> None:
        """Remember that an issuer revoked a subject's attestations up to `nonce`; `who` handed that in.

        Raises
        ------
        AttestationRefused
            If `by` is no issuer here, or a newer attestation is known.
        """
        if by not in self._issuers:
            raise AttestationRefused(f"{by} is no issuer here")
        newest = await self._newest(subject)
        if newest is not None and newest["file"] is None and newest["nonce"] == nonce:
            return
        if newest is not None and nonce < newest["nonce"]:
            raise AttestationRefused(f"The nonce {nonce} is below {newest['nonce']}")
        said = {"issuer": str(by), "level": 0, "expiry": 0, "file": None, "asked_by": who}
        document = self._document(subject, nonce) | said
        if newest is not None and newest["nonce"] == nonce:
            await self._documents.replace(ATTESTATIONS.name, document, expect={"file": newest["file"]})
        else:
            await self._insert(document)

    async def of(self, subject: Address) -> SignedAttestation:
        """The attestation that counts now.

        Raises
        ------
        AttestationNotFound
            If there is none, or it expired, was revoked, or its issuer is no longer listed.
        """
        newest = await self._newest(subject)
        if newest is None or newest["file"] is None:
            raise AttestationNotFound(f"{subject} is not attested")
        expired = newest["expiry"] * 1000 <= self._clock.now_ms()
        if expired or newest["level"] > self._issuers.get(Address.parse(newest["issuer"]), -1):
            raise AttestationNotFound(f"{subject} is attested no longer")
        return SignedAttestation.read(newest["file"].encode())

    async def lacking(self, router: KycRouter, subjects: list[Address]) -> list[SignedAttestation]:
        """Attestations of these subjects that count here and were not brought to the chain yet."""
        found = []
        for subject in subjects:
            try:
                signed = await self.of(subject)
            except AttestationNotFound:
                continue
            if (await router.standing(subject)).nonce < signed.attestation.nonce:
                found.append(signed)
        return found

    async def newest(self, subject: Address) -> Known | None:
        """The newest word on a subject, whether it counts or not."""
        found = await self._newest(subject)
        return None if found is None else Known.read(found)

    async def unordered(self) -> list[Known]:
        """What was handed in and not been ordered to be brought to the chain yet."""
        where = {"router": str(self._router), "ordered": False}
        found = await self._documents.find(ATTESTATIONS.name, where, sort=[("id", 1)])
        return [Known.read(document) for document in found]

    async def set_ordered(self, known: Known, ordered: bool) -> None:
        """Remember that it was ordered to be brought to the chain, or must be ordered anew."""
        id_ = self._document(known.subject, known.nonce)["id"]
        file = None if known.file is None else known.file.decode()
        await self._documents.update(ATTESTATIONS.name, id_, {"ordered": ordered}, expect={"file": file})

    async def _newest(self, subject: Address) -> dict[str, Any] | None:
        where = {"router": str(self._router), "subject": str(subject)}
        found = await self._documents.find(ATTESTATIONS.name, where, sort=[("nonce", -1)], limit=1)
        return found[0] if found else None

    def _document(self, subject: Address, nonce: int) -> dict[str, Any]:
        # The id makes two with one nonce conflict.
        return {
            "id": f"{self._router}#{subject}#{nonce}",
            "router": str(self._router),
            "subject": str(subject),
            "nonce": nonce,
            "ordered": False,
        }

    async def _insert(self, document: dict[str, Any]) -> None:
        try:
            await self._documents.insert(ATTESTATIONS.name, document)
        except DuplicateKey as error:
            raise AttestationRefused(f"There is another with nonce {document['nonce']}") from error
