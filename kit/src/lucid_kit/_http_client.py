"""Calls from one service to another."""

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import httpx

from lucid_kit.errors import JSON, LucidError, Unavailable
from lucid_kit.ids import new_id

TokenProvider = Callable[[], str | Awaitable[str]]
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class RemoteProblem(LucidError):
    """Another service answered with an error.

    `remote_status` is its HTTP status and `remote_code` its LUCID_ERR code, or "" if it named none.
    """

    code = "LUCID_ERR_5006"
    status = 502
    advice = "The facts hold the other service's code and advice; follow those."

    def __init__(self, detail: str, *, remote_status: int, remote_code: str, **facts: object) -> None:
        super().__init__(detail, remote_status=remote_status, remote_code=remote_code, **facts)
        self.remote_status = remote_status
        self.remote_code = remote_code


class RemoteUnavailable(Unavailable):
    """Another service cannot be reached or does not answer in time."""

    code = "LUCID_ERR_5007"
    advice = "Try again in a few seconds; if it lasts, see whether that service runs."


class Client:
    """Calls to one other service: base URL, token, timeouts, idempotency keys, and its problems as errors.

    Parameters
    ----------
    base_url
        `http://127.0.0.1:8080`, or `http+unix://%2Frun%2Flucid.sock` as `serve` reports it.
    token
        A token, or what gives one when a request is made (it may be awaitable); None sends none.
    timeout_s
        Seconds for connecting, and for each wait for data.
    transport
        Another way to reach the service, such as `httpx.ASGITransport(app)` in tests.

    Every write carries an Idempotency-Key: the caller's, or a new one, the same for each attempt of one call.
    A connection that could not be made is tried once more; a request that may have arrived never is.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | TokenProvider | None = None,
        timeout_s: float = 10.0,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self._token = token
        if base_url.startswith("http+unix://"):
            path = unquote(base_url.removeprefix("http+unix://"))
            transport = transport or httpx.AsyncHTTPTransport(uds=path, retries=1)
            base_url = "http://localhost"
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout_s,
            headers=dict(headers or {}),
            transport=transport or httpx.AsyncHTTPTransport(retries=1),
            follow_redirects=False,
            trust_env=False,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """Make one call and give its answer, whose status is below 400.

        Raises
        ------
        RemoteProblem
            If the service answered with an error.
        RemoteUnavailable
            If it could not be reached, or did not answer in time.
        """
        sent = httpx.Headers(dict(headers or {}))
        if method.upper() in _WRITES:
            sent["Idempotency-Key"] = idempotency_key or new_id("idm")
        if self._token is not None:
            sent["Authorization"] = f"Bearer {await self._bearer()}"
        try:
            answer = await self._http.request(
                method,
                path,
                json=json,
                content=content,
                params=params,
                headers=sent,
                timeout=httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s,
            )
        except httpx.TimeoutException as error:
            raise RemoteUnavailable(f"{self.base_url} did not answer {method} {path} in time") from error
        except httpx.TransportError as error:
            raise RemoteUnavailable(
                f"{self.base_url} cannot be reached: {error or type(error).__name__}"
            ) from error
        if answer.status_code >= 400:
            raise _problem_of(answer, method, path)
        return answer

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("DELETE", path, **options)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _bearer(self) -> str:
        if self._token is None or isinstance(self._token, str):
            return self._token or ""
        token = self._token()
        return token if isinstance(token, str) else await token


def _problem_of(answer: httpx.Response, method: str, path: str) -> RemoteProblem:
    body: dict[str, JSON] = {}
    try:
        parsed = answer.json()
        body = parsed if isinstance(parsed, dict) else {}
    except ValueError:
        pass  # not JSON: a proxy in between speaks; the status says enough
    detail = body.get("detail") or body.get("title") or answer.reason_phrase
    return RemoteProblem(
        f"{method} {path}: {detail}",
        remote_status=answer.status_code,
        remote_code=str(body.get("code") or ""),
        remote_advice=body.get("advice"),
        remote_facts=body.get("facts"),
        request_id=answer.headers.get("x-request-id"),
    )
