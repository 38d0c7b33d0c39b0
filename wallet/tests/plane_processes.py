"""Services of the plane as processes of their own, on a devnet that seals when it is told."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from plane_chain import PHRASE

from lucid_kit.clock import SystemClock
from lucid_kit.tokens import jwks, mint
from lucid_tron.codec.address import Address
from lucid_tron.devnet.accounts import SUN
from lucid_tron.keys import mnemonic
from lucid_tron.keys.derivation import derive
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.up.directory import SCOPES
from lucid_tron.usdt.manager import UNIT

TREASURY = derive(mnemonic.seed(PHRASE)).address
KEYS = {"stake": PrivateKey((71).to_bytes(32, "big")), "hot": PrivateKey((72).to_bytes(32, "big"))}
WALLET = {"gateway": "treasury", "staking": "stake", "payouts": "hot"}


class Processes:
    """A devnet, keys for tokens, the wallets service, and services that are started against them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.urls: dict[str, str] = {}
        self.key = Ed25519PrivateKey.generate()
        (directory / "jwks.json").write_text(json.dumps(jwks([self.key.public_key()])))
        options = ["--port", "0", "--manual", "--json", "--solid-lag", "2"]
        self.devnet = self.start("devnet", options, {})
        self.service("wallets")
        self.wallets = self.make_wallets()
        for address in (TREASURY, *(key.address for key in KEYS.values())):
            self.admin("faucet", address=str(address), trx=10_000 * SUN)
        self.admin("mine", blocks=5)

    def make_wallets(self) -> dict[str, str]:
        token = self.devnet["usdt"]
        most = {"per_payment": 10_000 * UNIT, "per_day": 10_000 * UNIT}
        funding = {"per_payment": 100 * SUN, "per_day": 5_000 * SUN, "family": True}
        treasury = {"kind": "phrase", "phrase": PHRASE, "caps": {token: most, "TRX": funding}}
        made: dict[str, dict[str, Any]] = {"treasury": treasury | {"signers": ["gateway"]}}
        made["stake"] = {"kind": "key", "private_key": KEYS["stake"].reveal().hex(), "signers": ["staking"]}
        made["hot"] = {"kind": "key", "private_key": KEYS["hot"].reveal().hex(), "caps": {token: most}}
        with self.person("wallets", "carla", "tron:admin") as carla:
            return {
                n: carla.post("/wallets", json={"name": n} | body).json()["id"] for n, body in made.items()
            }

    # --- processes ---

    def start(self, name: str, options: list[str], more: dict[str, str]) -> dict[str, Any]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"lucid_tron.{name}", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | more,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1].decode()
        self.running[name] = process
        return dict(json.loads(line))

    def settings(self, name: str, **more: str) -> dict[str, str]:
        values = {
            "DATA": str(self.directory / name),
            "JWKS": str(self.directory / "jwks.json"),
            "TICK_S": "0.1",
            "LOG_LEVEL": "error",
        }
        if name != "wallets":
            values |= {"NODES": json.dumps([self.devnet["url"]]), "USDT": self.devnet["usdt"]}
            values |= {"WALLETS_URL": self.urls["wallets"], "TOKEN_FILE": str(self.token_file(name))}
            values["WALLET"] = self.wallets[WALLET[name]]
        if name == "gateway":
            values["WEBHOOK_SECRET_FILE"] = str(self.directory / "whsec")
        return {f"LUCID_TRON_{name.upper()}_{key}": value for key, value in (values | more).items()}

    def service(self, name: str, **more: str) -> str:
        """Start a service; where it answers. It comes back at the address it had."""
        if name in self.urls:
            more = {"PORT": str(httpx.URL(self.urls[name]).port)} | more
        self.urls[name] = self.start(name, [], self.settings(name, **more))["url"]
        return self.urls[name]

    def refused(self, name: str, **more: str) -> str:
        """Start a service that must not start; what it says."""
        command = [sys.executable, "-m", f"lucid_tron.{name}"]
        env = os.environ | self.settings(name, **more)
        said = subprocess.run(command, env=env, capture_output=True, text=True)
        assert said.returncode == 1, said
        return said.stderr

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self.running.pop(name)
        process.send_signal(how)
        process.communicate()

    def end_all(self) -> None:
        for name in reversed(list(self.running)):
            self.end(name)

    # --- people and the chain ---

    def token(self, subject: str, *scopes: str) -> str:
        return mint(self.key, subject, scopes, 3_600, "lucid", "lucid", SystemClock())

    def token_file(self, subject: str) -> Path:
        """The token that a service has in a real plane."""
        file = self.directory / f"{subject}.token"
        file.write_text(self.token(subject, *SCOPES[subject]))
        return file

    def person(self, service: str, subject: str, *scopes: str) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.token(subject, *scopes)}"}
        return httpx.Client(base_url=self.urls[service], headers=headers, timeout=30)

    def admin(self, name: str, **body: Any) -> Any:
        answer = httpx.post(f"{self.devnet['url']}/admin/{name}", json=body, timeout=60)
        return answer.raise_for_status().json()

    def usdt_of(self, address: Address) -> int:
        """Units an address holds in the newest block."""
        ask = {
            "owner_address": str(address),
            "contract_address": self.devnet["usdt"],
            "function_selector": "balanceOf(address)",
            "parameter": (bytes(12) + address.evm).hex(),
            "visible": True,
        }
        answer = httpx.post(f"{self.devnet['url']}/wallet/triggerconstantcontract", json=ask, timeout=60)
        return int(answer.raise_for_status().json()["constant_result"][0], 16)

    def until(self, client: httpx.Client, path: str, field: str, value: Any) -> dict[str, Any]:
        """What is answered, once it says that; a block is sealed each time it does not."""
        for _ in range(300):
            self.admin("mine", blocks=1)
            found = dict(client.get(path).json())
            if found.get(field) == value:
                return found
        raise AssertionError(found)
