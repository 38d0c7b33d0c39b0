"""HTTP routes of payments: parse, authorise, call, shape. Amounts are units (10⁻⁶ USDT), times RFC 3339."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from lucid_kit.clock import rfc3339
from lucid_kit.http import id_path, needs
from lucid_kit.tokens import Principal
from lucid_tron.gateway.events import shown
from lucid_tron.gateway.models import MAX_UNITS, Payment
from lucid_tron.gateway.service import Gateway

routes = APIRouter(tags=["payments"])

PaymentId = Annotated[str, id_path("pay")]
Units = Annotated[int, Field(ge=1, le=MAX_UNITS, description="Units (10⁻⁶ USDT).")]


class PaymentIn(BaseModel):
    """What is to be paid. A `reference` of yours makes asking again harmless."""

    model_config = ConfigDict(extra="forbid")

    amount: Units
    expires_in_s: int = Field(default=3_600, ge=60, le=90 * 86_400, description="Seconds it is open.")
    reference: str | None = Field(default=None, max_length=128)
    webhook_url: str | None = Field(default=None, max_length=2_048)
    metadata: dict[str, Any] = Field(default_factory=dict, description="Yours; given back with the payment.")


class RefundIn(BaseModel):
    """What is to be given back, to an address the payer named. The same `refund_id` is paid once."""

    model_config = ConfigDict(extra="forbid")

    payment_id: str = Field(max_length=80)
    refund_id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    recipient: str = Field(max_length=64)
    amount: Units


class Why(BaseModel):
    """Why the books may go on: what was found out about each difference."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=3, max_length=500)


class WebhookIn(BaseModel):
    """Whose events are to be sent again."""

    model_config = ConfigDict(extra="forbid")

    payment_id: str = Field(max_length=80)


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


Service = Annotated[Gateway, Depends(_gateway)]
Writer = Annotated[Principal, needs("tron:write")]
Reader = Annotated[Principal, needs("tron:read")]
Admin = Annotated[Principal, needs("tron:admin")]


async def _out(gateway: Gateway, payment: Payment) -> dict[str, Any]:
    due = max(0, payment.amount - payment.received)
    return shown(payment) | {"detected": await gateway.detection.seen(payment.id), "still_due": due}


@routes.post("/payments/process", status_code=201)
async def process(body: PaymentIn, who: Writer, gateway: Service) -> dict[str, Any]:
    """Ask for a payment: gives the address to pay to."""
    payment = await gateway.create(
        body.amount,
        body.expires_in_s * 1000,
        who.subject,
        reference=body.reference,
        webhook_url=body.webhook_url,
        metadata=body.metadata,
    )
    return await _out(gateway, payment)


@routes.post("/payments/refund", status_code=202)
async def refund(body: RefundIn, who: Writer, gateway: Service) -> dict[str, Any]:
    """Give money back. Above the limit two others must ask for the same refund."""
    payment = await gateway.refunds.ask(
        body.payment_id, body.refund_id, body.recipient, body.amount, who.subject
    )
    return await _out(gateway, payment)


@routes.post("/payments/webhook", status_code=202)
async def webhook(body: WebhookIn, _who: Writer, gateway: Service) -> dict[str, Any]:
    """Send the events of a payment again, under their ids."""
    payment = await gateway.get(body.payment_id)
    return {"payment_id": payment.id, "events": await gateway.webhooks.again(payment.id)}


@routes.get("/payments/reconciliation")
async def reconciliation(_who: Reader, gateway: Service) -> dict[str, Any]:
    """The newest reconciliation; whether and why the books are halted, and if payouts are known to be too."""
    report = await gateway.reconciliation.latest()
    halted = await gateway.halting.standing()
    if report is not None:
        report = {name: value for name, value in report.items() if name not in ("id", "at_ms")} | {
            "at": rfc3339(report["at_ms"]),
            "balances": not report["findings"],
        }
    return {"report": report, "halted": halted and asdict(halted)}


@routes.post("/payments/resume")
async def resume(body: Why, who: Admin, gateway: Service) -> dict[str, Any]:
    """Go on with the differences of the newest reconciliation, as they are. Payouts are resumed after it."""
    report = await gateway.reconciliation.latest()
    findings = list(report["findings"]) if report else []
    await gateway.halting.accept(findings, who.subject, body.why)
    return {"state": "running", "accepted": findings}


@routes.get("/payments/{payment_id}")
async def payment(payment_id: PaymentId, _who: Reader, gateway: Service) -> dict[str, Any]:
    """How far a payment is."""
    return await _out(gateway, await gateway.get(payment_id))
