"""The command line's API client: finds the running instance and its token, turns problems into errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from lucid.instance import Damaged, Layout, Running
from lucid_kit.errors import LucidError, Unavailable


class Refused(LucidError):
    """The instance refused, and said why."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("detail") or body.get("title")), **dict(body.get("facts") or {}))
        # The instance's own words: the same code and advice that its API documents.
        self.code = str(body.get("code", "LUCID_ERR_5000"))  # type: ignore[misc]
        self.advice = str(body.get("advice", LucidError.advice))  # type: ignore[misc]
        self.status = int(body.get("status", 500))  # type: ignore[misc]


class Api:
    """Calls to the instance that runs on a data directory.

    Raises
    ------
    NotRunning, NoInstance
        On construction, if there is none.
    Refused
        If the instance answers with a problem (RFC 9457).
    Unavailable
        If it doesn't answer.
    """

    def __init__(self, layout: Layout) -> None:
        self.running = Running.find(layout)
        try:
            token = layout.operator_token.read_text("ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise Damaged(f"{layout.operator_token} cannot be used as a token: {error}") from error
        self._http = httpx.Client(
            base_url=self.running.api + "/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60, connect=5),
        )

    def get(self, path: str, **params: Any) -> Any:
        return self._json("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        return self._json("POST", path, json=body, headers={"Idempotency-Key": key} if key else None)

    def delete(self, path: str) -> Any:
        return self._json("DELETE", path)

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str] | None = None, **params: Any
    ) -> Iterator[httpx.Response]:
        """A response whose body is read piece by piece. 416 is handed over to whoever resumes."""
        try:
            with self._http.stream("GET", path, headers=dict(headers or {}), params=params) as response:
                if response.status_code >= 400 and response.status_code != 416:
                    response.read()
                    raise self._refused(response)
                yield response
        except httpx.HTTPError as error:
            raise self._silent(error) from error

    def _json(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        if response.status_code >= 400:
            raise self._refused(response)
        return response.json() if response.content else None

    def _refused(self, response: httpx.Response) -> LucidError:
        try:
            return Refused(response.json())
        except ValueError:
            return Unavailable(f"{self.running.api} answered {response.status_code} without saying why")

    def _silent(self, error: httpx.HTTPError) -> LucidError:
        return Unavailable(
            f"The instance at {self.running.api} does not answer: {error or type(error).__name__}"
        )
