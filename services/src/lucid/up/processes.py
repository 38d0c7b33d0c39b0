"""The processes of an instance: what each is called, how it is started, what it is told."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from lucid.instance import Layout
from lucid_kit.supervisor import Process

HOST = "127.0.0.1"
ORDER = ("chain", "auth", "rdp", "sessions")
"""Each needs only those before it."""

WALLET = "wallet"
"""What the wallet plane is called among the processes; its services are `wallet/payouts` and so on."""

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
# Handed on only where a test has set them: a clock that jumps, and lines that are counted.
_TEST_ONLY = (
    "COVERAGE_PROCESS_CONFIG",
    "LUCID_FAULT_CLOCK",
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """A port for each process, fixed for as long as the instance runs, so that one may die and come back."""

    ports: Mapping[str, int]

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    def urls(self) -> dict[str, str]:
        return {name: self.url(name) for name in ORDER}


def choose_addresses(api_port: int = 0) -> Addresses:
    """Free ports from the system; `api_port` fixes that of the sessions API.

    All sockets are held until every port is known: no two processes get the same one.
    """
    with_ports: dict[str, socket.socket] = {}
    try:
        for name in ORDER:
            probe = socket.socket()
            with_ports[name] = probe
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not (name == "sessions" and api_port):
                probe.bind((HOST, 0))
        ports = {name: probe.getsockname()[1] for name, probe in with_ports.items()}
    finally:
        for probe in with_ports.values():
            probe.close()
    return Addresses(ports | ({"sessions": api_port} if api_port else {}))


def describe(layout: Layout, addresses: Addresses) -> list[Process]:
    """Every process, in the order they are started.

    Secrets are never among the arguments or in the environment: processes are told files.
    """
    python = [sys.executable, "-m"]
    port = {name: str(number) for name, number in addresses.ports.items()}
    common = _environment()
    jwks_url = f"{addresses.url('auth')}/auth/.well-known/jwks.json"
    chain_arguments = ["run", "--data", str(layout.chain), "--port", port["chain"], "--json"]
    environments: dict[str, dict[str, str]] = {
        "chain": {},
        "auth": {"LUCID_AUTH_JWKS": str(layout.jwks), "LUCID_AUTH_PORT": port["auth"]},
        "rdp": {
            "LUCID_RDP_DATA": str(layout.rdp),
            "LUCID_RDP_MASKED": f'["{layout.data}"]',
            "LUCID_RDP_LISTEN_PORT": port["rdp"],
            "LUCID_RDP_JWKS": jwks_url,
        },
        "sessions": {
            "LUCID_SESSIONS_DATA": str(layout.data),
            "LUCID_SESSIONS_CHAIN_URL": addresses.url("chain"),
            "LUCID_SESSIONS_RDP_URL": addresses.url("rdp"),
            "LUCID_SESSIONS_JWKS": jwks_url,
            "LUCID_SESSIONS_TOKEN_FILE": str(layout.service_token("sessions")),
            "LUCID_SESSIONS_RECORDER_KEY": str(layout.recorder_key),
            "LUCID_SESSIONS_KMS_KEY": str(layout.custody_key),
            "LUCID_SESSIONS_TRUST": str(layout.trust),
            "LUCID_SESSIONS_PORT": port["sessions"],
        },
    }
    modules = {
        "chain": "lucid_blocks",
        "auth": "lucid.auth",
        "rdp": "lucid.rdp",
        "sessions": "lucid.sessions",
    }
    return [
        Process(
            name,
            [*python, modules[name], *(chain_arguments if name == "chain" else [])],
            environment={**common, **_own_settings(name), **environments[name]},
            log=layout.logs / f"{name}.log",
        )
        for name in ORDER
    ]


def describe_wallet_plane(layout: Layout) -> Process:
    """The wallet plane, which starts its own processes; neither knows a secret of the other.

    `LUCID_TRON_…` settings of whoever started us reach it, and nothing else does.
    """
    return Process(
        WALLET,
        [sys.executable, "-m", "lucid_tron.up", "--data", str(layout.wallet), "--json"],
        environment={**_environment(), **_own_settings("tron")},
        log=layout.logs / f"{WALLET}.log",
        ready_seconds=600,
        stop_timeout=120,
    )


def _environment() -> dict[str, str]:
    """What every process inherits: no more than it needs, and never another's secrets."""
    passed = (*_INHERITED, *_TEST_ONLY)
    return {name: os.environ[name] for name in passed if name in os.environ}


def _own_settings(name: str) -> dict[str, str]:
    """Settings and fault points that whoever started us set for this process: LUCID_SESSIONS_LINGER_S=5.

    `LUCID_SESSIONS__FAULT=point` reaches only the session service, as LUCID_FAULT.
    """
    prefix = f"LUCID_{name.upper()}_"
    own = {key: value for key, value in os.environ.items() if key.startswith(prefix)}
    fault = own.pop(f"{prefix}_FAULT", None)
    return own | ({"LUCID_FAULT": fault} if fault else {})
