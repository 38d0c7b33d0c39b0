"""What stands around every request: its id, `/api/v1`, figures, a last catch, a look at JSON unparsed."""

import json
import re
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lucid_kit._http_problems import problem_response
from lucid_kit.clock import Clock
from lucid_kit.errors import BodyTooLarge
from lucid_kit.ids import new_id
from lucid_kit.logs import bind, get_logger
from lucid_kit.metrics import Metrics

PREFIX = "/api/v1"
REQUEST_ID = "x-request-id"
MAX_DEPTH = 64

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_BRACKET_OR_STRING = re.compile(rb'[\[\]{}]|"(?:[^"\\]|\\.)*"', flags=re.DOTALL)
# Half a character (RFC 8259 § 8.2), and numbers that are none (§ 6), which Python's parser lets through.
_SUSPECT = re.compile(rb"\\u[dD][89a-fA-F]|NaN|Infinity|[0-9][eE]\+?[0-9]{3}")


class Guard:
    """ASGI middleware around the whole app.

    A request id that looks like one is taken over from the caller (Envoy sets it), else made; it is on the
    answer, in every log line, and is what a person reports. An exception nobody expected becomes a 500
    problem without a word of what it said, and a log line with all of it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        labels = ("method", "route", "status")
        self._requests = metrics.counter("lucid_http_requests_total", "HTTP requests answered", labels)
        self._seconds = metrics.histogram(
            "lucid_http_requests_seconds", "Time to the end of the answer", labels[:2]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope = _without_prefix(scope)
        headers = Headers(scope=scope)
        request_id = headers.get(REQUEST_ID, "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = new_id("req")
        scope["lucid.request_id"] = request_id
        with bind(request_id=request_id):
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
            else:
                await self._answer(scope, _checked(headers, receive), send, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        began_ms = self._clock.monotonic_ms()
        status = 0
        replaced = False

        async def watch(message: Message) -> None:
            nonlocal status, replaced
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                if status == 413 and headers.get("content-type", "").startswith("text/plain"):
                    replaced = True  # Starlette's body limit answers in plain text
                    too_large = BodyTooLarge("The request's body is too large for this address")
                    answer = problem_response(too_large, scope["path"], {REQUEST_ID: request_id})
                    await answer(scope, receive, send)
                    return
                headers[REQUEST_ID] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
            elif replaced:
                return
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            get_logger().exception("http.unexpected", method=scope["method"], path=scope["path"])
            if (
                "lucid.unexpected" not in scope
            ):  # an answer had begun: cut it, so that the client sees it is torn
                raise
        finally:
            seconds = (self._clock.monotonic_ms() - began_ms) / 1000
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = _route(scope)
            self._requests.labels(method, route, str(status or 499)).inc()
            self._seconds.labels(method, route).observe(seconds)
            get_logger().debug(
                "http.answered", method=method, path=scope["path"], status=status, seconds=seconds
            )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(scope: MutableMapping[str, Any]) -> str:
    """The template of the route that answered (`/sessions/{id}`), so that labels stay few."""
    context = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return str(getattr(context, "path_format", None) or getattr(context, "path", None) or "unmatched")


def _without_prefix(scope: Scope) -> Scope:
    """`/api/v1/sessions` is `/sessions`: the gateway's address and the service's are the same route."""
    scope = dict(scope)
    path: str = scope["path"]
    if path == PREFIX or path.startswith(PREFIX + "/"):
        scope["path"] = path.removeprefix(PREFIX) or "/"
        raw: bytes = scope.get("raw_path") or path.encode("utf-8")
        scope["raw_path"] = raw.removeprefix(PREFIX.encode("ascii")) or b"/"
    return scope


def _checked(headers: Headers, receive: Receive) -> Receive:
    """Pass the body on, but refuse JSON that is nested too deep or holds text that is not Unicode."""
    if "json" not in headers.get("content-type", ""):
        return receive
    body = bytearray()

    async def look() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                _check_json(bytes(body))
        return message

    return look


def _check_json(body: bytes) -> None:
    # Counting brackets is cheap and settles nearly every request; only the rest is scanned.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise HTTPException(400)
    if _SUSPECT.search(body):
        try:
            json.dumps(json.loads(body), ensure_ascii=False, allow_nan=False).encode("utf-8")
        except UnicodeEncodeError:
            raise HTTPException(422) from None
        except (ValueError, RecursionError):
            raise HTTPException(400) from None


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for token in _BRACKET_OR_STRING.finditer(body):
        first = token.group()[:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest
