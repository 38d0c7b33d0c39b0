"""The HTTP application of one node, and how its faults reach every request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lucid_kit.errors import LucidError
from lucid_tron.devnet.api import accounts, admin, build, chain, contracts, events, transactions
from lucid_tron.devnet.api.transactions import AnswerLost
from lucid_tron.devnet.api.view import BadRequest, Handler, Json, Node, View
from lucid_tron.devnet.ledger import Refused

BOTH: dict[str, Handler] = chain.BOTH | accounts.BOTH | contracts.BOTH
FULL: dict[str, Handler] = BOTH | chain.FULL | accounts.FULL | contracts.FULL | build.FULL | transactions.FULL
MAX_BODY = 2 * 1024 * 1024
Endpoint = Callable[[Request], Awaitable[Response]]


async def _body(request: Request) -> Json:
    """The request's fields: the query's, and over them those of a JSON object in the body."""
    fields: Json = dict(request.query_params)
    raw = await request.body()
    if len(raw) > MAX_BODY:
        raise BadRequest(f"the body is longer than {MAX_BODY} bytes")
    if raw.strip():
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            raise BadRequest("the body is not JSON") from None
        if not isinstance(content, dict):
            raise BadRequest("the body is not a JSON object")
        fields |= content
    return fields


def _visible(body: Json) -> bool:
    return str(body.get("visible", "")).lower() == "true"


class Cut(Response):
    """An answer that announces more than it sends: the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-length", b"64")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def _answer(node: Node, handler: Handler, *, solid: bool) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request)
            return JSONResponse(handler(View(node, solid, _visible(body)), body))
        except AnswerLost:
            return Cut()
        except BadRequest as error:
            return JSONResponse({"Error": f"class java.lang.IllegalArgumentException : {error}"})
        except LucidError as error:
            return JSONResponse({"Error": f"class org.tron.core.exception.BadItemException : {error.detail}"})

    return endpoint


def _v1(node: Node, handler: Callable[[View, Json, str], Json]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        query: Json = dict(request.query_params)
        try:
            return JSONResponse(handler(View(node, False, True), query, request.path_params["key"]))
        except (BadRequest, LucidError, ValueError) as error:
            detail = str(getattr(error, "detail", error))
            return JSONResponse({"success": False, "error": detail, "statusCode": 400}, status_code=400)

    return endpoint


def _admin(node: Node, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request)
            return JSONResponse(handler(View(node, False, True), body))
        except Refused as refused:
            return JSONResponse({"error": f"{refused.code}: {refused.message}"}, status_code=409)
        except (BadRequest, LucidError) as error:
            return JSONResponse({"error": str(getattr(error, "detail", error))}, status_code=400)

    return endpoint


async def _health(_: Request) -> Response:
    return PlainTextResponse("OK")


class FaultyDoor:
    """Middleware: what happens to a request before the node reads it. /admin is never disturbed."""

    def __init__(self, app: Starlette, node: Node) -> None:
        self._app = app
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/admin/"):
            await self._app(scope, receive, send)
            return
        faults = self._node.faults
        if faults.slow_ms > 0:
            await asyncio.sleep(faults.slow_ms / 1000)
        refusal: Response | None = None
        if faults.take("throttle"):
            refusal = JSONResponse(
                {"Error": "request rate exceeded the allowed_rps(1), and the query server is suspended"},
                status_code=429,
                headers={"Retry-After": "1"},
            )
        elif faults.take("broken"):
            refusal = Response(
                "<html><title>503 Service Temporarily Unavailable</title></html>",
                status_code=503,
                media_type="text/html",
            )
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def create_app(node: Node) -> FaultyDoor:
    """The application for one node of a chain."""
    both = ["GET", "POST"]
    routes = [
        *(
            Route(f"/wallet/{name}", _answer(node, handler, solid=False), methods=both)
            for name, handler in FULL.items()
        ),
        *(
            Route(f"/walletsolidity/{name}", _answer(node, handler, solid=True), methods=both)
            for name, handler in BOTH.items()
        ),
        Route("/v1/contracts/{key}/events", _v1(node, events.of_contract)),
        Route("/v1/transactions/{key}/events", _v1(node, events.of_transaction)),
        Route("/v1/blocks/{key}/events", _v1(node, events.of_block)),
        Route("/v1/accounts/{key}/transactions/trc20", _v1(node, events.trc20_history)),
        *(Route(f"/admin/{name}", _admin(node, handler)) for name, handler in admin.READ.items()),
        *(
            Route(f"/admin/{name}", _admin(node, handler), methods=["POST"])
            for name, handler in admin.WRITE.items()
        ),
        Route("/healthcheck", _health),
    ]
    return FaultyDoor(Starlette(routes=routes), node)
