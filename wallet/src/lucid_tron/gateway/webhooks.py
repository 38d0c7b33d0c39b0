"""Delivering events: at least once, each time with the same id, until the merchant says 2xx."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx

from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.documents import Documents
from lucid_tron.client.pace import Backoff
from lucid_tron.gateway.errors import NothingToDeliver
from lucid_tron.gateway.events import EVENTS
from lucid_tron.gateway.signature import sign

MOST_ATTEMPTS = 24
_AT_ONCE = 16
_TIMEOUT_S = 10.0


class Webhooks:
    """The outbox of events."""

    def __init__(
        self,
        documents: Documents,
        secret: bytes,
        clock: Clock,
        http: httpx.AsyncClient,
        *,
        chance: random.Random | None = None,
    ) -> None:
        self._documents = documents
        self._secret = secret
        self._clock = clock
        self._http = http
        self._chance = chance or random.Random()
        self._backoff = Backoff(first_s=5.0, cap_s=3_600.0)

    async def run_once(self) -> int:
        """Deliver what is due; how many were taken."""
        where = {"state": "pending", "next_ms": {"$lte": self._clock.now_ms()}}
        due = await self._documents.find(EVENTS.name, where, sort=[("next_ms", 1)], limit=_AT_ONCE)
        by_payment: dict[str, list[dict[str, Any]]] = {}
        for event in sorted(due, key=lambda event: int(event["number"])):
            by_payment.setdefault(event["payment"], []).append(event)
        return sum(await asyncio.gather(*(self._deliver_in_order(each) for each in by_payment.values())))

    async def _deliver_in_order(self, events: list[dict[str, Any]]) -> int:
        """Events of one payment, as they happened; one that fails is tried again later and does not hold up
        the others: a merchant reads the state in each, not the order."""
        return sum([await self._deliver(event) for event in events])

    async def _deliver(self, event: dict[str, Any]) -> bool:
        now_ms, attempts = self._clock.now_ms(), event["attempts"] + 1
        said = await self._post(event, now_ms)
        fault.point("webhook-sent")
        # Ends here: the merchant has it and we do not know; it is sent again under the same id.
        expect = {"attempts": event["attempts"]}
        change: dict[str, Any] = {"attempts": attempts, "said": said}
        if said is None:
            change["state"] = "delivered"
        elif attempts >= MOST_ATTEMPTS:
            change["state"] = "dead"
        else:
            change["next_ms"] = now_ms + int(self._backoff.wait(attempts, self._chance) * 1000)
        await self._documents.update(EVENTS.name, event["id"], change, expect=expect)
        return said is None

    async def _post(self, event: dict[str, Any], now_ms: int) -> str | None:
        """What is wrong, or None if the merchant took it. Redirects are not followed."""
        body = event["body"].encode()
        headers = sign(self._secret, event["id"], now_ms // 1000, body) | {"content-type": "application/json"}
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                async with self._http.stream("POST", event["url"], content=body, headers=headers) as answer:
                    return None if answer.is_success else f"answered {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return type(error).__name__

    async def again(self, payment_id: str) -> int:
        """Send all events of a payment again, under their ids; how many.

        Raises
        ------
        NothingToDeliver
            If there is none.
        """
        found = await self._documents.find(EVENTS.name, {"payment": payment_id})
        if not found:
            raise NothingToDeliver(f"Payment {payment_id} has no events for a webhook")
        change = {"state": "pending", "next_ms": self._clock.now_ms(), "attempts": 0}
        for event in found:
            await self._documents.update(EVENTS.name, event["id"], change)
        return len(found)
