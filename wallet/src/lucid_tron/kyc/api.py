"""HTTP routes of attestations: parse, authorise, call, shape. No personal data is taken or given."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from lucid_kit.clock import rfc3339
from lucid_tron.codec.address import Address
from lucid_tron.kyc.desk import KycDesk, Status
from lucid_tron.kyc.errors import NoAttestations
from lucid_tron.payouts.access import MAX, Approver, Body, Reader, Writer, signed_file

routes = APIRouter(prefix="/payouts/kyc", tags=["attestations"])
Subject = Annotated[str, Path(pattern=r"^[1-9A-HJ-NP-Za-km-z]{34}$")]


class Revocation(Body):
    """Ends the attestations of an address, up to a nonce or all that are known."""

    subject: str = Field(max_length=64)
    nonce: Annotated[int, Field(ge=1, le=MAX)] | None = None


class WordOut(BaseModel):
    """The newest attestation or revocation that was handed in."""

    kind: str
    issuer: str
    level: int
    expires: str | None
    nonce: int


class BringingOut(BaseModel):
    """How far it is on its way to the router, and why it waits."""

    operation_id: str
    state: str
    txid: str | None
    reason: str | None


class StandingOut(BaseModel):
    """What counts for an address: here, on the router, and what it may still get (units, this epoch)."""

    address: str
    attested: bool
    level: int | None
    allowance: int
    why_not: str | None
    newest: WordOut | None
    router_nonce: int
    bringing: BringingOut | None


def _kyc(request: Request) -> KycDesk:
    kyc: KycDesk | None = request.app.state.kyc
    if kyc is None:
        raise NoAttestations("This service pays through no router that asks for attestations")
    return kyc


Kyc = Annotated[KycDesk, Depends(_kyc)]


def _out(status: Status) -> StandingOut:
    known, order = status.known, status.order
    return StandingOut(
        address=str(status.subject),
        attested=status.why_not is None,
        level=status.level,
        allowance=status.allowance,
        why_not=status.why_not,
        newest=known
        and WordOut(
            kind="revocation" if known.file is None else "attestation",
            issuer=str(known.issuer),
            level=known.level,
            expires=rfc3339(known.expiry * 1000) if known.file is not None else None,
            nonce=known.nonce,
        ),
        router_nonce=status.standing.nonce,
        bringing=order
        and BringingOut(operation_id=order.id, state=order.state, txid=order.txid, reason=order.reason),
    )


@routes.post(
    "/attestations",
    status_code=202,
    openapi_extra=signed_file("An issuer's attestation", "docs/specs/kyc.md"),
)
async def attest(request: Request, who: Writer, kyc: Kyc) -> StandingOut:
    """Take an issuer's attestation and bring it to the router. Handed in again, a failure is tried anew."""
    signed = await kyc.take(await request.body(), who.subject)
    return _out(await kyc.status(signed.attestation.subject))


@routes.post("/revocations", status_code=202)
async def revoke(body: Revocation, who: Approver, kyc: Kyc) -> StandingOut:
    """Pay an address no more, at once, and tell the router where this service has an issuer's wallet."""
    subject = Address.parse(body.subject)
    await kyc.revoke(subject, body.nonce, who.subject)
    return _out(await kyc.status(subject))


@routes.get("/{address}")
async def standing(address: Subject, _who: Reader, kyc: Kyc) -> StandingOut:
    """What counts for an address, and why it is not paid."""
    return _out(await kyc.status(Address.parse(address)))
