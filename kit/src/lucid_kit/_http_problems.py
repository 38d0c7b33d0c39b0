"""How failures become answers: always application/problem+json (RFC 9457), whatever raised them."""

import email.message
import json
from collections.abc import Mapping

from fastapi import FastAPI, Request, params
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.websockets import WebSocket

from lucid_kit.errors import (
    BodyTooLarge,
    DomainError,
    Forbidden,
    LimitExceeded,
    LucidError,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    SystemFault,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
    problem,
)
from lucid_kit.logs import get_logger

PROBLEM_JSON = "application/problem+json"
_SHOWN_FIELDS = 20
_POLICY_VIOLATION = 1008

_KINDS: Mapping[int, tuple[type[LucidError], str]] = {
    400: (MalformedRequest, "The request's body cannot be read"),
    401: (Unauthenticated, "The request carries no token that is valid here"),
    403: (Forbidden, "That is not allowed"),
    404: (NotFound, "There is nothing at this address"),
    409: (DomainError, "That is not possible now"),
    413: (BodyTooLarge, "The request's body is too large for this address"),
    415: (UnsupportedMediaType, "The request's content type is not read here"),
    422: (ValidationFailed, "The request does not have the form it must have"),
    429: (LimitExceeded, "Too many requests"),
    500: (SystemFault, "Something failed on our side"),
    503: (Unavailable, "The service is not available"),
}


def answer_problems(app: FastAPI) -> None:
    """Make every failure of `app` a problem document."""

    async def lucid(connection: Request | WebSocket, error: Exception) -> Response | None:
        assert isinstance(error, LucidError)
        if isinstance(connection, WebSocket):
            await connection.close(_POLICY_VIOLATION, error.code)
            return None
        if error.status >= 500:
            get_logger().error("http.failed", code=error.code, detail=error.detail, facts=error.facts)
        return problem_response(error, connection.url.path)

    async def invalid(connection: Request | WebSocket, error: Exception) -> Response | None:
        assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)
        if isinstance(connection, WebSocket):
            return await lucid(connection, ValidationFailed("The request is invalid", fields=_fields(error)))
        if _wrong_content_type(connection):
            sent = connection.headers.get("content-type", "none")
            return await lucid(
                connection, UnsupportedMediaType(f"The content type {sent!r} is not read here")
            )
        return await lucid(connection, _validation_failed(error))

    async def refused(request: Request | WebSocket, error: Exception) -> Response | None:
        assert isinstance(error, HTTPException)
        if error.status_code == 405 and isinstance(request, Request):
            allowed = sorted(_allowed(app, request))
            detail = f"{request.method} is not understood here; {', '.join(allowed)} would be"
            return problem_response(
                MethodNotAllowed(detail, allowed=allowed), request.url.path, {"Allow": ", ".join(allowed)}
            )
        family = 400 if error.status_code < 500 else 500
        kind, detail = _KINDS.get(error.status_code, _KINDS[family])
        if isinstance(request, WebSocket):
            return await lucid(request, kind(detail))
        return problem_response(kind(detail), request.url.path, error.headers)

    async def unexpected(request: Request, _error: Exception) -> Response:
        # Not a word of what it said: the log has it, under the request id.
        fault = SystemFault(
            "Something failed that should not", request_id=request.scope.get("lucid.request_id")
        )
        request.scope["lucid.unexpected"] = True
        return problem_response(fault, request.url.path)

    app.add_exception_handler(Exception, unexpected)
    app.add_exception_handler(LucidError, lucid)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, invalid)  # type: ignore[arg-type]
    app.add_exception_handler(WebSocketRequestValidationError, invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, refused)  # type: ignore[arg-type]


def problem_response(
    error: LucidError, instance: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    """The HTTP answer for an error: with WWW-Authenticate on 401 and Retry-After on 429 and 503."""
    extra = dict(headers or {})
    if error.status == 401:
        extra.setdefault("WWW-Authenticate", 'Bearer realm="lucid"')
    if error.status in (429, 503):
        after = error.facts.get("retry_after_s", 1)
        extra.setdefault("Retry-After", str(max(1, round(after))) if isinstance(after, int | float) else "1")
    # ensure_ascii: a lone surrogate from the request, repeated in a detail, stays an escape and cannot
    # break UTF-8.
    body = json.dumps(problem(error, instance), ensure_ascii=True, separators=(",", ":"), default=str)
    return Response(body, error.status, extra, PROBLEM_JSON)


def _validation_failed(error: RequestValidationError | WebSocketRequestValidationError) -> LucidError:
    first = error.errors()[0] if error.errors() else {}
    if first.get("type") == "json_invalid":
        return MalformedRequest(
            f"The body is not JSON: {first.get('ctx', {}).get('error', '')}", at=first["loc"][-1]
        )
    fields = _fields(error)
    names = ", ".join(field["field"] for field in fields[:3])
    return ValidationFailed(f"The request is wrong in {names}", fields=fields)


def _fields(error: RequestValidationError | WebSocketRequestValidationError) -> list[dict[str, str]]:
    # The value itself is not repeated: it may be a secret, and may be what broke.
    return [
        {"field": ".".join(str(part) for part in fault["loc"]), "problem": str(fault["msg"])}
        for fault in error.errors()[:_SHOWN_FIELDS]
    ]


def _wrong_content_type(request: Request) -> bool:
    """Whether the request has a body of a type that its route, which takes a body, does not read."""
    length = request.headers.get("content-length")
    if length in (None, "0") and "transfer-encoding" not in request.headers:
        return False
    for context in iter_route_contexts(request.app.routes):
        if context.matches(request.scope)[0] is Match.FULL:
            field = getattr(context, "body_field", None)
            if field is None:
                return False
            sent = email.message.Message()
            sent["content-type"] = request.headers.get("content-type", "none/none")
            kind = sent.get_content_type()
            if isinstance(field.field_info, params.Form):
                return kind not in ("application/x-www-form-urlencoded", "multipart/form-data")
            return not (
                kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
            )
    return False


def _allowed(app: FastAPI, request: Request) -> set[str]:
    """Every method some route understands at this path; Starlette's own answer lists one route's only."""
    methods: set[str] = set()
    for context in iter_route_contexts(app.routes):
        if context.matches(request.scope)[0] is not Match.NONE:
            methods |= context.methods or set()
    return methods
