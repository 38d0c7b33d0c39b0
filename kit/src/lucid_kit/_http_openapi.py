"""The OpenAPI 3.1 document: every operation says which problems (RFC 9457) it can answer with."""

from typing import Any

from fastapi import FastAPI

from lucid_kit._http_problems import PROBLEM_JSON

_ANSWERS = {
    400: "The request cannot be read.",
    401: "The token is missing, wrong or expired.",
    403: "The token does not grant this.",
    404: "There is nothing under that name.",
    405: "This address does not understand that method.",
    409: "A rule forbids this in the present state of things.",
    413: "The body is too large.",
    415: "The body's content type is not read here.",
    422: "The request does not have the form it must have.",
    429: "Over a limit; Retry-After says how long to wait.",
    500: "Our side failed.",
    502: "Another service this one asked answered with an error.",
    503: "Something the service needs does not answer.",
    507: "A store has no room left.",
}
_PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457 problem details, with a stable code and advice.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "advice", "facts"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "pattern": "^LUCID_ERR_[1-5][0-9]{3}$"},
        "advice": {"type": "string"},
        "facts": {"type": "object"},
    },
}
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def describe(app: FastAPI) -> None:
    """Replace `app.openapi` by one that adds the problems."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add_problems(plain())
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _add_problems(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape, which we do not send
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM
    components["responses"] = {
        f"Problem{status}": _response(status, text) for status, text in _ANSWERS.items()
    }
    for path in document.get("paths", {}).values():
        for method in _METHODS:
            if method in path:
                _describe(path[method])


def _describe(operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    for status in _ANSWERS:
        declared = responses.get(str(status))
        if declared is None or (status == 422 and "application/json" in declared.get("content", {})):
            responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}


def _response(status: int, text: str) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": text,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        seconds = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
        response["headers"] = {"Retry-After": seconds}
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status == 405:
        response["headers"] = {"Allow": {"schema": {"type": "string"}}}
    return response
