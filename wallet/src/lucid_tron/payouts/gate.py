"""Nothing is paid after a start, or a resumption, before the gateway was asked whether its books balance.

While both run, the gateway stops payouts by itself. A halt that fell while this service was down is owed by
the gateway; whoever pays before asking might pay against it. A gateway that does not answer is waited for.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from lucid_kit.errors import Forbidden, Unavailable
from lucid_kit.http import Client, RemoteProblem, needs
from lucid_kit.tokens import Principal
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.settings import PayoutsSettings
from lucid_tron.wallets.remote import token_from

T = TypeVar("T")


class GatewayNotAsked(Unavailable):
    """The payment gateway was not asked yet whether its books balance."""

    code = "LUCID_ERR_5803"
    advice = "Start the payment gateway; where there is none, leave GATEWAY_URL empty."


class Gate:
    """Opens when the gateway has answered. `gateway` is None where there is none: then it is open."""

    def __init__(self, gateway: Client | None, book: Book) -> None:
        self._gateway = gateway
        self._book = book
        self._open = gateway is None

    def shut(self) -> None:
        """Ask again before the next payment."""
        self._open = self._gateway is None

    async def require_open(self) -> None:
        """A readiness check.

        Raises
        ------
        GatewayNotAsked
            Until the gateway has answered.
        """
        if not self._open:
            raise GatewayNotAsked("The payment gateway was not asked yet, so nothing is paid")

    async def ask(self) -> None:
        """Ask, unless it has answered, and stop payouts if its books are halted.

        Raises
        ------
        RemoteUnavailable, GatewayNotAsked
            While it does not answer.
        """
        if self._open or self._gateway is None:
            return
        try:
            said = (await self._gateway.get("/payments/reconciliation")).json()
        except RemoteProblem as problem:
            raise GatewayNotAsked(problem.detail, **problem.facts) from problem
        if said["halted"] is not None:
            await self._book.halt(f"Payment gateway: {said['halted']['reason']}", {"by": "gateway"})
        self._open = True

    def before(self, work: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        """The same work, which begins when the gate is open."""

        async def gated() -> T:
            await self.ask()
            return await work()

        return gated


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


def _halter(who: Annotated[Principal, needs()]) -> Principal:
    if not (who.may("tron:halt") or who.may("tron:approve")):
        raise Forbidden("The token grants neither tron:halt nor tron:approve", missing=["tron:halt"])
    return who


TheGate = Annotated[Gate, Depends(_gate)]
Halter = Annotated[Principal, Depends(_halter)]
"""A person who approves, or the gateway with a token for this alone."""


@contextlib.asynccontextmanager
async def open_gate(settings: PayoutsSettings, book: Book) -> AsyncIterator[Gate]:
    """The gate of the gateway that the settings name."""
    if not settings.gateway_url:
        yield Gate(None, book)
        return
    async with Client(settings.gateway_url, token=token_from(settings.token_file)) as client:
        yield Gate(client, book)
