"""A whole small instance for tests: a real chain, real displays (desks.py), a real recorder, the real
service.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lucid_kit import tokens
from lucid_kit.clock import SystemClock

HERE = Path(__file__).parent
WAIT_S = 30.0
PLANT = "LUCID_TEST_PLANT"  # in the environment of everything that a plant starts


class Child:
    """A process that says its address in one line of JSON."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                argv,
                env={**os.environ, **env, PLANT: str(log.parent)},
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self.url = ""

    def ready(self) -> "Child":
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"did not start:\n{self.log.read_text()[-4000:]}")
        self.url = json.loads(line)["url"]
        return self

    def ended(self, within_s: float = WAIT_S) -> int:
        return self.process.wait(within_s)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


class Plant:
    """Starts and stops the parts; talks to the service as its operator."""

    def __init__(self, home: Path, *, block_ms: int = 400) -> None:
        self.home = home
        self.data = home / "data"
        self.data.mkdir(mode=0o700)
        self.signing = Ed25519PrivateKey.generate()
        recorder = Ed25519PrivateKey.generate()
        (home / "recorder.pem").write_bytes(
            recorder.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (home / "recorder.pem").chmod(0o600)
        (home / "jwks.json").write_text(json.dumps(tokens.jwks([self.signing.public_key()])))
        self.token = self.mint("*")
        (home / "token").write_text(self.token)
        init = [
            sys.executable,
            "-m",
            "lucid_blocks.cli",
            "init",
            "--data",
            str(home / "chain"),
            "--name",
            "test",
        ]
        init += [
            "--recorder",
            recorder.public_key().public_bytes_raw().hex(),
            "--block-ms",
            str(block_ms),
            "--json",
        ]
        made = subprocess.run(init, check=True, capture_output=True)
        self.trust = home / "trust.json"
        self.trust.write_text(json.dumps(json.loads(made.stdout)["trust"]))
        self.children: list[Child] = []
        self.chain: Child | None = None
        self.desks: Child | None = None
        self.service: Child | None = None
        self.chain_port = 0

    def mint(self, *scopes: str, subject: str = "operator") -> str:
        return tokens.mint(self.signing, subject, scopes, 3600, "lucid", "lucid", SystemClock())

    def start_chain(self) -> None:
        argv = [sys.executable, "-m", "lucid_blocks.cli", "run", "--data", str(self.home / "chain"), "--json"]
        argv += ["--port", str(self.chain_port)]
        self.chain = self._child(argv, {}, "chain")
        self.chain_port = int(self.chain.url.rsplit(":", 1)[1])

    def start_desks(self) -> None:
        self.desks = self._child([sys.executable, str(HERE / "desks.py")], {}, "desks")

    def start(self, *, ready: bool = True, **settings: Any) -> Child:
        """Start the service. `fault` is LUCID_FAULT; other names are settings."""
        if self.chain is None:
            self.start_chain()
        if self.desks is None:
            self.start_desks()
        assert self.chain is not None
        assert self.desks is not None
        fault = {
            "LUCID_FAULT": settings.pop("fault", ""),
            "LUCID_FAULT_ERROR": settings.pop("fault_error", ""),
        }
        prefix = settings.pop("prefix", [])
        values = {
            "data": self.data,
            "chain_url": self.chain.url,
            "rdp_url": self.desks.url,
            "jwks": self.home / "jwks.json",
            "token_file": self.home / "token",
            "recorder_key": self.home / "recorder.pem",
            "kms_key": self.home / "kms.key",
            "trust": self.trust,
            "head_poll_s": 0.1,
            "chunk_ms": 1000,
            "keyframe_ms": 5000,
            "interim_s": 2,
            "retry_first_s": 0.05,
            "retry_last_s": 0.4,
            "linger_s": 2,
            **settings,
        }
        env = {f"LUCID_SESSIONS_{name.upper()}": str(value) for name, value in values.items()}
        argv = [*prefix, sys.executable, "-m", "lucid.sessions"]
        self.service = self._child(argv, {**env, **fault}, "service", ready=ready)
        return self.service

    def close(self) -> None:
        for child in reversed(self.children):
            with suppress(ProcessLookupError):
                child.stop()

    def _child(self, argv: list[str], env: dict[str, str], name: str, *, ready: bool = True) -> Child:
        child = Child(argv, env, self.home / f"{name}.log")
        self.children.append(child)
        return child.ready() if ready else child

    # -- as the operator

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        assert self.service is not None
        headers = {
            "Authorization": f"Bearer {options.pop('token', self.token)}",
            **options.pop("headers", {}),
        }
        return httpx.request(method, self.service.url + path, headers=headers, timeout=60, **options)

    def ok(self, method: str, path: str, **options: Any) -> Any:
        answer = self.call(method, path, **options)
        assert answer.status_code < 400, answer.text
        return answer.json()

    def create(self, **wanted: Any) -> dict[str, Any]:
        made = self.ok("POST", "/sessions", json={"width": 640, "height": 400, **wanted})
        assert isinstance(made, dict)
        return made

    def show(self, id_: str) -> dict[str, Any]:
        shown = self.ok("GET", f"/sessions/{id_}")
        assert isinstance(shown, dict)
        return shown

    def desk(self, id_: str, what: str) -> None:
        assert self.desks is not None
        httpx.post(f"{self.desks.url}/desks/{id_}/{what}", timeout=30).raise_for_status()

    def desk_sessions(self) -> list[str]:
        assert self.desks is not None
        return [
            row["session"] for row in httpx.get(f"{self.desks.url}/rdp/servers", timeout=30).json()["servers"]
        ]

    def until(
        self, id_: str, what: Callable[[dict[str, Any]], bool], within_s: float = WAIT_S
    ) -> dict[str, Any]:
        """The session once `what` holds of it."""
        deadline = time.monotonic() + within_s
        while True:
            shown = self.show(id_)
            if what(shown):
                return shown
            if time.monotonic() > deadline:
                raise AssertionError(f"never came: {shown}\n{self.service_log()[-6000:]}")
            time.sleep(0.05)

    def recorded(self, id_: str, chunks: int = 2) -> dict[str, Any]:
        return self.until(id_, lambda shown: shown["chunks_acknowledged"] >= chunks)

    def anchored(self, id_: str) -> dict[str, Any]:
        return self.until(
            id_, lambda shown: shown["anchored"] and shown["state"] in ("closed", "abandoned", "deleted")
        )

    def export(self, id_: str, name: str = "bundle.lucid") -> Path:
        answer = self.call("GET", f"/sessions/{id_}/proof")
        assert answer.status_code == 200, answer.text
        path = self.home / name
        path.write_bytes(answer.content)
        return path

    def chain_height(self) -> int:
        """The newest block that the service has seen."""
        return int(self.ok("GET", "/sessions/statistics")["chain_height"] or 0)

    def recorders(self) -> list[int]:
        """The recorders of this plant that run."""
        mark = f"{PLANT}={self.home}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                records = b"lucid.recorder" in (process / "cmdline").read_bytes()
                if records and mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
        return found

    def service_log(self) -> str:
        return (self.home / "service.log").read_text()


async def settled() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)
