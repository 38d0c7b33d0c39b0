"""An instance of Lucid, started and asked the way a script would."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

from demo.program import Program

LUCID = str(Path(sys.executable).with_name("lucid"))
LUCID_VERIFY = str(Path(sys.executable).with_name("lucid-verify"))


class Instance(Program):
    """`lucid --data DIR up`. `environment` is what it inherits, `options` go to `up`."""

    def __init__(self, data: Path, log: Path, environment: dict[str, str], *options: str) -> None:
        argv = [LUCID, "--data", str(data), "up", "--json", *options]
        super().__init__(argv, log, environment, ends_within_s=60)
        self.data = data

    def __enter__(self) -> Self:
        super().__enter__()
        self.url = self.ready["api"]
        self.pid = self.ready["pid"]
        self.services: dict[str, str] = self.ready["services"]
        token = (self.data / "operator.token").read_text().strip()
        self.api = httpx.Client(
            base_url=self.url + "/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        return self

    def stop(self) -> int:
        """SIGTERM; its exit status. Stopping twice is harmless."""
        self.api.close()
        return super().stop()

    def get(self, path: str) -> Any:
        return self.api.get(path).raise_for_status().json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.api.post(path, json=body).raise_for_status().json()

    def lucid(self, *arguments: str) -> Any:
        """Run a `lucid` command with --json; its document."""
        argv = [LUCID, "--data", str(self.data), *arguments, "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(
                f"`lucid {' '.join(arguments)}` ended with {done.returncode}: {done.stderr.strip()}"
            )
        return json.loads(done.stdout)

    def until(self, session: str, *, within: float, **wanted: Any) -> dict[str, Any]:
        """Wait until the session shows what is wanted."""
        deadline = time.monotonic() + within
        while True:
            now: dict[str, Any] = self.get(f"/sessions/{session}")
            if all(now.get(name) == value for name, value in wanted.items()):
                return now
            if time.monotonic() > deadline:
                raise RuntimeError(f"{session} is {now['state']} and not {wanted} after {within:.0f} s")
            time.sleep(0.2)


def judge(bundle: Path, trust: Path | None) -> tuple[int, dict[str, Any]]:
    """Exit code and report of `lucid-verify`."""
    argv = [LUCID_VERIFY, str(bundle), "--json", "--windows", *(["--trust", str(trust)] if trust else [])]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)
