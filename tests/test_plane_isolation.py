"""The chain plane and the wallet plane share nothing: no import, no file, no token, no secret, no network."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.instance import Instance
from instances import start

ROOT = Path(__file__).parents[1]
WALLET_SERVICES = {"wallets", "client", "usdt", "payouts", "staking", "gateway"}
OTHERS = {"chain", "auth", "rdp", "sessions"}


def test_the_import_graph_keeps_the_planes_apart() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for plane in ("the chain plane knows neither the wallet", "the wallet plane knows neither the chain"):
        assert any(plane in line and "KEPT" in line for line in done.stdout.splitlines())


# --- two planes in networks of their own ---


@dataclass(frozen=True)
class Networks:
    """Names of the namespaces, and where each plane's service listens."""

    prefix: str
    chain: tuple[str, int]
    wallet: tuple[str, int]

    def reaches(self, namespace: str, where: tuple[str, int]) -> bool:
        """Whether a process in a namespace can open a socket to an address."""
        program = (
            "import socket, sys\n"
            "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)\n"
            "except OSError: sys.exit(3)\n"
        )
        argv = [*inside(self.prefix, namespace), sys.executable, "-c", program, where[0], str(where[1])]
        code = subprocess.run(argv, check=False).returncode
        assert code in (0, 3)
        return code == 0


def inside(prefix: str, namespace: str) -> list[str]:
    return ["ip", "netns", "exec", f"{prefix}-{namespace}"]


def ready(process: subprocess.Popen[str]) -> int:
    """The port a service that begins says it listens on."""
    assert process.stdout is not None
    return int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Networks]:
    directory = tmp_path_factory.mktemp("networks")
    prefix = f"lt{os.getpid()}"
    script = ROOT / "scripts" / "plane-networks"
    environment = {**os.environ, "PREFIX": prefix, "NETWORK": "10.91"}
    jwks = directory / "jwks.json"
    jwks.write_text('{"keys": []}')
    chain = [sys.executable, "-m", "lucid_blocks"]
    subprocess.run(
        [*chain, "init", "--data", directory / "chain", "--name", "example.org/isolation"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    wallet = {
        "LUCID_TRON_WALLETS_DATA": str(directory / "wallets"),
        "LUCID_TRON_WALLETS_JWKS": str(jwks),
        "LUCID_TRON_WALLETS_HOST": "0.0.0.0",
    }
    started: list[subprocess.Popen[str]] = []
    try:
        subprocess.run([script, "up"], check=True, env=environment, stdout=subprocess.DEVNULL)
        for namespace, argv in (
            ("chain", [*chain, "run", "--data", str(directory / "chain"), "--host", "0.0.0.0", "--json"]),
            ("wallet", [sys.executable, "-m", "lucid_tron.wallets"]),
        ):
            started.append(
                subprocess.Popen(
                    [*inside(prefix, namespace), *argv],
                    env={**os.environ, **wallet},
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        ports = [ready(each) for each in started]
        yield Networks(prefix, ("10.91.1.2", ports[0]), ("10.91.2.2", ports[1]))
    finally:
        for each in started:
            each.terminate()
            each.wait(30)
            if each.stdout is not None:
                each.stdout.close()
        subprocess.run([script, "down"], check=True, env=environment)


@pytest.mark.real
def test_each_plane_hears_who_stands_at_the_edge(networks: Networks) -> None:
    assert networks.reaches("edge", networks.chain)
    assert networks.reaches("edge", networks.wallet)
    assert networks.reaches("chain", networks.chain)
    assert networks.reaches("wallet", networks.wallet)


@pytest.mark.real
def test_the_chain_plane_cannot_open_a_socket_to_the_wallet_plane(networks: Networks) -> None:
    _, port = networks.wallet
    for address in ("10.91.2.2", "10.91.2.1", "10.91.1.1", "127.0.0.1", "localhost"):
        assert not networks.reaches("chain", (address, port)), address


@pytest.mark.real
def test_the_wallet_plane_cannot_open_a_socket_to_the_chain_plane(networks: Networks) -> None:
    _, port = networks.chain
    for address in ("10.91.1.2", "10.91.1.1", "10.91.2.1", "127.0.0.1", "localhost"):
        assert not networks.reaches("wallet", (address, port)), address


# --- both planes as `lucid up --with-wallet` runs them ---


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with start(tmp_path_factory.mktemp("both"), "--with-wallet", LUCID_TRON_UP_BLOCK_S="1") as running:
        yield running


def processes(data: Path) -> dict[str, set[int]]:
    """Processes of an instance by plane: whose command line or environment names the wallet's directory."""
    found: dict[str, set[int]] = {"wallet": set(), "others": set()}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            told = line + (path / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(data) in told:
            found["wallet" if "lucid_tron" in line else "others"].add(int(path.name))
    return found


def open_files(pids: set[int], below: Path) -> set[Path]:
    """Files below a directory that these processes hold open."""
    found = set()
    for pid in pids:
        for each in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = each.readlink()
            except OSError:
                continue
            if target.is_relative_to(below):
                found.add(target)
    return found


@pytest.mark.real
@pytest.mark.slow
def test_status_shows_both_planes_and_all_is_well(both: Instance) -> None:
    assert set(both.services) == OTHERS | {f"wallet/{name}" for name in WALLET_SERVICES}
    deadline = time.monotonic() + 30
    shown = both.lucid("status")["services"]
    while not all(each["ready"] for each in shown.values()):
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)
        shown = both.lucid("status")["services"]


@pytest.mark.real
@pytest.mark.slow
def test_a_token_of_one_plane_is_refused_by_the_other(both: Instance) -> None:
    wallet = both.data / "wallet" / "tokens" / "operator.token"
    tokens = {"wallet": wallet.read_text().strip(), "ops": (both.data / "operator.token").read_text().strip()}

    def ask(service: str, path: str, plane: str) -> int:
        headers = {"Authorization": f"Bearer {tokens[plane]}"}
        return httpx.get(both.services[service] + path, headers=headers, timeout=30).status_code

    asked = {
        "sessions": "/sessions",
        "auth": "/auth/status",
        "wallet/wallets": "/wallets",
        "wallet/client": "/tron/network/info",
        "wallet/usdt": "/usdt/balance/TWQhk2XZJrVrBXp3UHVACGRr84w7ukDjpJ",
        "wallet/payouts": "/payouts/history",
        "wallet/staking": "/staking/status/TWQhk2XZJrVrBXp3UHVACGRr84w7ukDjpJ",
        "wallet/gateway": "/payments/reconciliation",
    }
    for service, path in asked.items():
        own, other = ("wallet", "ops") if service.startswith("wallet/") else ("ops", "wallet")
        assert ask(service, path, own) == 200, service
        assert ask(service, path, other) == 401, service


@pytest.mark.real
@pytest.mark.slow
def test_a_token_of_the_wallet_plane_gains_nothing_at_the_chain(both: Instance) -> None:
    """The chain takes no tokens at all: it admits what is rightly signed, whoever brings it."""
    token = (both.data / "wallet" / "tokens" / "operator.token").read_text().strip()

    def send(headers: dict[str, str]) -> tuple[int, Any]:
        body = {"session": "ses_nobody", "records": []}
        answer = httpx.post(f"{both.services['chain']}/anchoring/session", json=body, headers=headers)
        return answer.status_code, answer.json()["code"]

    plain = send({})
    assert plain[0] >= 400
    assert send({"Authorization": f"Bearer {token}"}) == plain


@pytest.mark.real
@pytest.mark.slow
def test_no_database_and_no_other_file_is_open_in_both_planes(both: Instance) -> None:
    found = processes(both.data)
    assert len(found["wallet"]) >= len(WALLET_SERVICES)
    assert len(found["others"]) >= len(OTHERS)
    wallet = open_files(found["wallet"], both.data)
    others = open_files(found["others"], both.data)
    assert {path.stem for path in wallet if path.suffix == ".db"} == WALLET_SERVICES
    assert [path for path in others if path.is_relative_to(both.data / "wallet")] == []
    assert wallet & others <= {both.data / "logs" / "wallet.log"}


@pytest.mark.real
@pytest.mark.slow
def test_each_wallet_service_has_a_database_that_no_other_opens(both: Instance) -> None:
    holders: dict[Path, set[int]] = {}
    for pid in processes(both.data)["wallet"]:
        for path in open_files({pid}, both.data / "wallet"):
            if path.suffix == ".db":
                holders.setdefault(path, set()).add(pid)
    assert len(holders) == len(WALLET_SERVICES)
    assert all(len(pids) == 1 for pids in holders.values())


@pytest.mark.real
@pytest.mark.slow
def test_the_planes_hold_no_secret_in_common_and_tell_none_to_each_other(both: Instance) -> None:
    def secrets(below: Path, *, beside: Path | None = None) -> set[bytes]:
        return {
            path.read_bytes().strip()
            for path in below.rglob("*")
            if path.suffix in (".key", ".token", ".secret") or path.name == "phrase"
            if beside is None or not path.is_relative_to(beside)
        }

    wallet = secrets(both.data / "wallet")
    others = secrets(both.data, beside=both.data / "wallet")
    assert len(wallet) >= 8
    assert len(others) >= 4
    assert not wallet & others
    for path in (both.data / "wallet").rglob("*"):
        if path.is_file() and path.suffix in (".key", ".token", ".secret", ".db"):
            assert path.stat().st_mode & 0o077 == 0, path
    for plane, pids in processes(both.data).items():
        strangers = others if plane == "wallet" else wallet
        for pid in pids:
            told = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
            assert not [secret for secret in strangers | wallet if secret in told]


@pytest.mark.real
@pytest.mark.slow
def test_the_wallet_plane_listens_on_loopback_alone(both: Instance) -> None:
    for name, url in both.services.items():
        if name.startswith("wallet/"):
            host, port = url.removeprefix("http://").split(":")
            assert host == "127.0.0.1"
            with socket.socket() as other:
                other.bind(("127.0.0.2", int(port)))  # free: nobody listens on every address
