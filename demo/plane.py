"""A wallet plane, started and asked the way a script would."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from demo.program import Program

T = TypeVar("T")


class Plane(Program):
    """`python -m lucid_tron.up`. `environment` adds to what is inherited."""

    def __init__(self, data: Path, log: Path, **environment: str) -> None:
        argv = [sys.executable, "-m", "lucid_tron.up", "--data", str(data), "--json"]
        super().__init__(argv, log, {**os.environ, **environment}, ends_within_s=120)
        self.data = data

    def __enter__(self) -> Self:
        super().__enter__()
        self.services: dict[str, str] = self.ready["services"]
        self.usdt: str = self.ready["usdt"]
        self.hot: str = self.ready["hot_wallet"]
        self.router: str = self.ready["router"]
        self.node: str = self.ready["devnet"]["url"]
        self.chain_id: int = self.ready["devnet"]["chain_id"]
        self.faucet: str = self.ready["devnet"]["faucet"]["private_key"]
        return self

    def person(self, subject: str, *scopes: str) -> "Person":
        """A person with a token of their own."""
        argv = [
            sys.executable,
            "-m",
            "lucid_tron.up",
            "token",
            "--data",
            str(self.data),
            "--subject",
            subject,
        ]
        argv += [part for scope in scopes for part in ("--scope", scope)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env=self._environment)
        return Person(self, Path(done.stdout.strip()))

    @property
    def operator(self) -> "Person":
        return Person(self, self.data / "tokens" / "operator.token")

    def pid(self, service: str) -> int:
        """The process that holds the service's directory."""
        return int((self.data / service / ".lock").read_text())

    @property
    def supervisor(self) -> int:
        """The process that starts services again."""
        return self._process.pid

    def kill(self, service: str) -> None:
        """SIGKILL; the supervisor starts it again."""
        os.kill(self.pid(service), signal.SIGKILL)


class Person:
    """Somebody with a token, who asks services and waits for those that are being started again."""

    def __init__(self, plane: Plane, token: Path) -> None:
        self._plane = plane
        self._headers = {"Authorization": f"Bearer {token.read_text().strip()}"}

    def ask(self, method: str, service: str, path: str, **options: Any) -> httpx.Response:
        """One request, tried again while nobody answers; every one may be sent twice."""
        return until(lambda: self._try(method, self._plane.services[service] + path, options))

    def _try(self, method: str, url: str, options: dict[str, Any]) -> httpx.Response | None:
        try:
            return httpx.request(method, url, headers=self._headers, timeout=60, **options)
        except httpx.TransportError:
            return None

    def get(self, service: str, path: str) -> Any:
        return self.ask("GET", service, path).raise_for_status().json()

    def post(self, service: str, path: str, body: Any = None, content: bytes | None = None) -> Any:
        if content is None:
            answer = self.ask("POST", service, path, json=body)
        else:
            answer = self.ask("POST", service, path, content=content)
        if answer.is_error:
            raise RuntimeError(f"POST {path}: {answer.text}")
        return answer.json()


def until(look: Callable[[], T | None], within: float = 300) -> T:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + within
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing came of it within {within:.0f} s")
        time.sleep(0.1)
    return found
