"""The processes of the plane: how each is started and what it is told. Secrets are told as files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from lucid_kit.supervisor import Process
from lucid_tron.up.directory import AUDIENCE, HOST, ISSUER, SERVICES, Directory
from lucid_tron.up.settings import UpSettings

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
# Handed on only where a test has set them: a clock that jumps, and lines that are counted.
_TEST_ONLY = ("COVERAGE_PROCESS_CONFIG", "LUCID_FAULT_CLOCK")


@dataclass(frozen=True, slots=True)
class Network:
    """Where the network is. `usdt` is empty where the network's own token is meant."""

    name: str
    nodes: tuple[str, ...]
    usdt: str
    quorum: int


def devnet(directory: Directory, settings: UpSettings, port: int) -> Process:
    """The development network. It keeps nothing, so that it is not started again when it dies."""
    argv = [sys.executable, "-m", "lucid_tron.devnet", "--json", "--port", str(port)]
    argv += ["--block-time", str(settings.block_s), "--solid-lag", str(settings.solid_lag)]
    environment, log = _environment(), directory.logs / "devnet.log"
    return Process("devnet", argv, environment=environment, log=log, ready_seconds=120, restart="never")


def service(
    name: str,
    directory: Directory,
    settings: UpSettings,
    network: Network,
    ports: Mapping[str, int],
    wallet: str = "",
    router: str = "",
    issuer: str = "",
) -> Process:
    """One of the six. `wallet` is the id of the one it sends from, if it has one of its own.

    Payouts go through `router`; `issuer` is the id of the wallet that brings revocations to one that asks for
    attestations.
    """
    given: dict[str, str] = {
        "DATA": str(directory.service(name)),
        "JWKS": str(directory.jwks),
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "PORT": str(ports[name]),
    }
    if name != "wallets":
        given |= {"NETWORK": network.name, "NODES": json.dumps(network.nodes), "QUORUM": str(network.quorum)}
        given |= {"USDT": network.usdt} if network.usdt else {}
        given |= {"API_KEY_FILE": str(settings.api_key_file)} if settings.api_key_file else {}
    given["TOKEN_FILE"] = str(directory.token(name))
    if name != "wallets":
        given["WALLETS_URL"] = url(ports, "wallets")
    if wallet:
        given["WALLET"] = wallet
    if name == "wallets":
        given |= {"CLIENT_URL": url(ports, "client"), "USDT_URL": url(ports, "usdt")}
    if name == "payouts":
        given |= {"HEAD": str(directory.head), "GATEWAY_URL": url(ports, "gateway")}
        given |= {"ROUTER": router, "ROUTER_KIND": settings.router} if router else {}
        given |= {"ISSUER_WALLET": issuer, "ISSUERS": json.dumps(settings.issuers)} if issuer else {}
    if name == "gateway":
        given["WEBHOOK_SECRET_FILE"] = str(directory.service(name) / "webhook.secret")
        given |= {
            "PAYOUTS_URL": url(ports, "payouts"),
            "HALT_TOKEN_FILE": str(directory.token("gateway-halt")),
        }
    prefix = f"LUCID_TRON_{name.upper()}_"
    environment = {
        **_environment(),
        **{prefix + key: value for key, value in given.items()},
        **_own_settings(prefix),
    }
    argv = [sys.executable, "-m", f"lucid_tron.{name}"]
    log = directory.logs / f"{name}.log"
    return Process(name, argv, environment=environment, log=log, ready_seconds=120)


def url(ports: Mapping[str, int], name: str) -> str:
    """Where a service answers."""
    return f"http://{HOST}:{ports[name]}"


def urls(ports: Mapping[str, int]) -> dict[str, str]:
    """Where all services answer."""
    return {name: url(ports, name) for name in SERVICES}


def _environment() -> dict[str, str]:
    """What every process inherits: no more than it needs, and never another's secrets."""
    return {name: os.environ[name] for name in (*_INHERITED, *_TEST_ONLY) if name in os.environ}


def _own_settings(prefix: str) -> dict[str, str]:
    """Settings and the fault point that whoever started us set for this service alone.

    `LUCID_TRON_PAYOUTS__FAULT=point` reaches only the payout service, as LUCID_FAULT.
    """
    own = {key: value for key, value in os.environ.items() if key.startswith(prefix)}
    fault = own.pop(f"{prefix}_FAULT", None)
    return own | ({"LUCID_FAULT": fault} if fault else {})
