"""Events: what merchants are told. Stored in the transaction of the change they tell, delivered later."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from lucid_kit.clock import rfc3339
from lucid_kit.documents import Collection, Documents, Index
from lucid_tron.gateway.models import Payment

EVENTS = Collection("payment_events", Index("state", "next_ms"), Index("payment"))


def shown(payment: Payment) -> dict[str, Any]:
    """A payment as merchants see it: in the API and in webhooks."""
    return {
        "payment_id": payment.id,
        "reference": payment.reference,
        "address": str(payment.address),
        "amount": payment.amount,
        "state": payment.state,
        "received": payment.received,
        "late": payment.late,
        "refunded": sum(refund.amount for refund in payment.refunds if refund.done),
        "refundable": payment.refundable,
        "created_at": rfc3339(payment.created_ms),
        "expires_at": rfc3339(payment.expires_ms),
        "sequence": payment.version,
        "metadata": dict(payment.metadata),
        "refunds": [
            {"refund_id": r.id, "recipient": r.recipient, "amount": r.amount, "done": r.done}
            for r in payment.refunds
        ],
    }


async def tell(inside: Documents, payment: Payment, kind: str, what: str, at_ms: int) -> None:
    """Store an event once: its id is drawn from the payment, the kind and `what` happened."""
    if payment.webhook_url is None:
        return
    drawn = sha256(f"{payment.id}/{kind}/{what}".encode()).hexdigest()[:32]
    if await inside.get(EVENTS.name, f"evt_{drawn}") is not None:
        return
    body = {"type": kind, "timestamp": rfc3339(at_ms), "data": shown(payment)}
    await inside.insert(
        EVENTS.name,
        {
            "id": f"evt_{drawn}",
            "payment": payment.id,
            "kind": kind,
            "url": payment.webhook_url,
            "body": json.dumps(body, separators=(",", ":")),
            "number": await inside.count(EVENTS.name, {"payment": payment.id}),
            "state": "pending",
            "attempts": 0,
            "next_ms": at_ms,
            "said": None,
        },
    )
