"""The HTTP app every cluster is: the same health, metrics, errors, tokens and limits everywhere.

    app = create_app("sessions", version="1.0.0", routers=[routes], verifier=verifier, ready={"documents":
    ping}) await serve(app, port=0, on_ready=print)

A route that needs a token says so: `who: Principal = needs("sessions:read")`. A route that takes more than
the app's body limit says so: `@routes.put("/…", max_body_size=10 << 20)`. Failures are `LucidError`s; what
reaches the caller is always RFC 9457 problem+json.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI, Path, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from lucid_kit import ids, metrics
from lucid_kit._http_client import Client, RemoteProblem, RemoteUnavailable
from lucid_kit._http_guard import Guard
from lucid_kit._http_openapi import describe
from lucid_kit._http_problems import PROBLEM_JSON, answer_problems, problem_response
from lucid_kit._http_serve import AddressInUse, serve
from lucid_kit.clock import Clock, SystemClock
from lucid_kit.errors import Forbidden, Unauthenticated, Unavailable
from lucid_kit.logs import get_logger
from lucid_kit.tokens import JwksVerifier, Principal

__all__ = [
    "PROBLEM_JSON",
    "AddressInUse",
    "Client",
    "RemoteProblem",
    "RemoteUnavailable",
    "create_app",
    "id_path",
    "needs",
    "problem_response",
    "serve",
]

Check = Callable[[], Awaitable[None]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_READY_SECONDS = 3.0
_bearer = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="An access token of this installation: a JWT signed with Ed25519.",
    auto_error=False,
)


class Health(BaseModel):
    """The process runs and answers."""

    status: str
    name: str
    version: str


class Readiness(BaseModel):
    """Everything the service needs answers."""

    status: str
    checks: dict[str, str]


class _App(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        # Outside everything FastAPI puts around its routes: its own plain-text answers pass the guard too.
        return Guard(super().build_middleware_stack(), self.state.metrics, self.state.clock)


def create_app(
    name: str,
    *,
    version: str,
    routers: Sequence[APIRouter],
    verifier: JwksVerifier | None,
    ready: Mapping[str, Check] | None = None,
    lifespan: Lifespan | None = None,
    body_limit: int = 1 << 20,
    clock: Clock | None = None,
) -> FastAPI:
    """An app with the house's furniture, also answering under `/api/v1`.

    Parameters
    ----------
    routers
        The cluster's routes.
    verifier
        What checks tokens; None where no route needs one (then `needs` refuses everything).
    ready
        What `GET /ready` asks: each check returns, or raises what is wrong. Three seconds each, all at once.
    body_limit
        Bytes a request may carry unless its route sets `max_body_size`.

    Returns
    -------
    FastAPI
        Its `state` has `metrics` (a `lucid_kit.metrics.Metrics`), `verifier` and `clock`.
    """
    clock = clock or SystemClock()
    app = _App(
        title=f"Lucid {name}",
        version=version,
        lifespan=lifespan,
        max_body_size=body_limit,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.metrics = figures = metrics.Metrics()
    app.state.verifier = verifier
    app.state.clock = clock
    answer_problems(app)
    for router in routers:
        app.include_router(router)
    app.include_router(_furniture(name, version, dict(ready or {}), figures))
    describe(app)
    return app


def needs(*scopes: str) -> Any:
    """A route's dependency: a valid token that grants every one of `scopes`; gives the `Principal`.

    Answers 401 without a valid token and 403 without the scopes. The scope `*` grants all.
    """
    return Security(_principal, scopes=list(scopes))


def id_path(prefix: str, description: str = "") -> Any:
    """A path parameter that takes ids of one kind only, as `lucid_kit.ids` makes them."""
    return Path(pattern=ids.pattern(prefix), description=description or f"An id such as {prefix}_0193…")


async def _principal(
    connection: HTTPConnection,
    scopes: SecurityScopes,
    credentials: HTTPAuthorizationCredentials | None = Security(_bearer),
) -> Principal:
    if credentials is None:
        raise Unauthenticated("The request carries no bearer token")
    verifier: JwksVerifier | None = connection.app.state.verifier
    if verifier is None:
        raise Unauthenticated("This service accepts no tokens")
    principal = await verifier.verify(credentials.credentials)
    missing = [scope for scope in scopes.scopes if not principal.may(scope)]
    if missing:
        raise Forbidden(f"The token does not grant {', '.join(missing)}", missing=missing)
    return principal


def _furniture(name: str, version: str, ready: Mapping[str, Check], figures: metrics.Metrics) -> APIRouter:
    routes = APIRouter(tags=["operation"])

    @routes.get("/health")
    async def health() -> Health:
        """Whether the process runs."""
        return Health(status="ok", name=name, version=version)

    @routes.get("/ready")
    async def readiness() -> Readiness:
        """Whether everything the service needs answers."""
        wrong = {
            what: fault for what, fault in zip(ready, await _ask(ready), strict=True) if fault is not None
        }
        if wrong:
            raise Unavailable(f"Not ready: {', '.join(f'{w} ({f})' for w, f in wrong.items())}", checks=wrong)
        return Readiness(status="ready", checks=dict.fromkeys(ready, "ok"))

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def exposition() -> Response:
        """Figures for Prometheus."""
        return Response(figures.exposition(), media_type=metrics.CONTENT_TYPE)

    return routes


async def _ask(ready: Mapping[str, Check]) -> list[str | None]:
    async def ask(what: str, check: Check) -> str | None:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await check()
        except TimeoutError:
            return f"no answer within {_READY_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready, and says why
            get_logger().warning("ready.failed", check=what, error=str(error), exc_info=True)
            return type(error).__name__
        return None

    return await asyncio.gather(*(ask(what, check) for what, check in ready.items()))
