"""The real server manager, as a process of its own, and calls to it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_kit import tokens
from lucid_kit.clock import SystemClock


class Manager:
    """`python -m lucid.rdp` on a data directory; what is answered comes back as plain dictionaries."""

    def __init__(self, data: Path, **settings: object) -> None:
        self.data = data
        self._settings = {f"LUCID_RDP_{name.upper()}": str(value) for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._http: httpx.Client | None = None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        key = Ed25519PrivateKey.generate()
        self.data.mkdir(parents=True, exist_ok=True)
        jwks = self.data.parent / f"{self.data.name}.jwks.json"
        jwks.write_text(json.dumps(tokens.jwks([key.public_key()])))
        env = {**os.environ, "LUCID_RDP_DATA": str(self.data), "LUCID_RDP_JWKS": str(jwks), **self._settings}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lucid.rdp"], env=env, stdout=subprocess.PIPE, stderr=log
            )
        assert self._process.stdout is not None
        with self._process.stdout as out:
            line = out.readline()
        if not line:
            raise AssertionError(f"the manager did not start: {self.log_path.read_text()}")
        token = tokens.mint(key, "test", ["*"], 3600, "lucid", "lucid", SystemClock())
        headers = {"Authorization": f"Bearer {token}"}
        url = json.loads(line)["url"]
        self._http = httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)
        return self

    @property
    def log_path(self) -> Path:
        """Where it logs."""
        return self.data.parent / f"{self.data.name}.log"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def call(self, method: str, path: str, expect: int | None = None, **options: Any) -> Any:
        """One request; the answer's JSON. Fails unless the status is `expect` (any below 300 when None)."""
        assert self._http is not None
        answer = self._http.request(method, path, **options)
        good = answer.status_code == expect if expect else answer.is_success
        assert good, (
            f"{method} {path}: {answer.status_code} {answer.text}\n{self.log_path.read_text()[-3000:]}"
        )
        return answer.json() if answer.content else None

    def text(self, path: str) -> str:
        """What is answered to a GET, as text."""
        assert self._http is not None
        return self._http.get(path).text

    def create(self, session: str = "ses_1", **wish: object) -> dict[str, Any]:
        """A new server."""
        created: dict[str, Any] = self.call("POST", "/rdp/servers", 201, json={"session": session, **wish})
        return created

    def status(self, server_id: str, after: int = 0, wait_ms: int = 0) -> dict[str, Any]:
        """A server's status, by long poll if asked to."""
        query = {"after": after, "wait_ms": wait_ms}
        answer: dict[str, Any] = self.call("GET", f"/rdp/servers/{server_id}/status", params=query)
        return answer

    def until(self, server_id: str, timeout: float = 15.0, **facts: object) -> dict[str, Any]:
        """Wait until the status has all of `facts`; a callable is asked, anything else compared."""
        deadline = time.monotonic() + timeout
        now = self.status(server_id)
        while not all(
            want(now[name]) if callable(want) else now[name] == want for name, want in facts.items()
        ):
            if time.monotonic() > deadline:
                raise AssertionError(f"{facts} did not come within {timeout:g} s: {now}")
            now = self.status(server_id, now["revision"], 1000)
        return now

    def with_display(self, server_id: str) -> dict[str, Any]:
        """Wait until the display is up."""
        return self.until(server_id, display=lambda display: display is not None)

    def delete(self, server_id: str) -> None:
        """Delete a server."""
        self.call("DELETE", f"/rdp/servers/{server_id}", 204)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        assert self._http is not None
        self._http.close()
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self._http is not None:
            self._http.close()
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
