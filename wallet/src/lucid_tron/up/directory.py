"""The directory of a wallet plane: what lies where, who may do what, and which network its books are of."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from lucid_kit import tokens
from lucid_kit.clock import Clock
from lucid_kit.errors import DomainError
from lucid_kit.files import make_dirs, write_atomic
from lucid_kit.keyfile import load_or_make
from lucid_tron.payouts.guard import Guard

SERVICES = ("wallets", "client", "usdt", "payouts", "staking", "gateway")
"""In the order they are started; each needs only those before it."""
ISSUER = AUDIENCE = "lucid-wallet"
"""Not the name of any other plane's: its tokens are refused there, and theirs here."""
TOKEN_LIFE_S = 24 * 3600
HOST = "127.0.0.1"

SCOPES: dict[str, tuple[str, ...]] = {
    "operator": ("tron:admin", "tron:approve", "tron:read", "tron:write"),
    "client": ("tron:read", "tron:sign"),
    "gateway": ("tron:read", "tron:sign-own"),
    "gateway-halt": ("tron:halt",),
    "payouts": ("tron:read", "tron:sign"),
    "staking": ("tron:read", "tron:sign-own"),
    "usdt": ("tron:read", "tron:sign"),
    "wallets": ("tron:read", "tron:write"),
}
"""What each token may do; the names are the subjects. No person may ask for a bare signature."""


class OtherNetwork(DomainError):
    """The books in this directory are of another network."""

    code = "LUCID_ERR_4851"
    advice = "Use another --data for another network: books, wallets and chain belong together."


@dataclass(frozen=True, slots=True)
class Directory:
    """Paths below one plane's directory."""

    data: Path

    @property
    def jwks(self) -> Path:
        return self.data / "issuer" / "jwks.json"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def service(self, name: str) -> Path:
        return self.data / name

    @property
    def head(self) -> Path:
        """Where the head of the payout ledger is kept, apart from the database: in no backup of it."""
        return self.data / "head"

    @property
    def router(self) -> Path:
        """What is kept of the router's deployment on a devnet."""
        return self.data / "router.json"

    def token(self, subject: str) -> Path:
        return self.data / "tokens" / f"{subject}.token"

    def prepare(self, network: str, clock: Clock) -> None:
        """Make the directories, and see that its books are of this network.

        A devnet forgets everything when it ends: what was kept of an earlier one is put aside.

        Raises
        ------
        OtherNetwork
            If they are not.
        """
        make_dirs(self.logs)
        marker = self.data / "network.json"
        first = network == "devnet" or not marker.exists()
        known = json.loads(marker.read_bytes())["network"] if marker.exists() else network
        if known != network:
            raise OtherNetwork(f"{self.data} holds books of {known}, not {network}", data=self.data)
        if network == "devnet" and any(self.service(name).exists() for name in SERVICES):
            past = self.data / "past" / str(clock.now_ms())
            make_dirs(past)
            for name in (*SERVICES, self.head.name, self.router.name):
                if self.service(name).exists():
                    self.service(name).rename(past / name)
        write_atomic(marker, json.dumps({"network": network}).encode(), 0o644)
        for each in (self.head, *(self.service(name) for name in SERVICES)):
            make_dirs(each)
        if first:  # a head that is lost later is not made anew: it would vouch for any books
            Guard.create(self.head)

    def mint(self, clock: Clock) -> None:
        """Write the key set and every token of `SCOPES`, replacing what was there.

        Raises
        ------
        KeyFileUnusable
            If the signing key is readable by others or is none.
        """
        for subject, scopes in SCOPES.items():
            self.mint_for(subject, scopes, clock)

    def mint_for(
        self, subject: str, scopes: tuple[str, ...], clock: Clock, ttl_s: int = TOKEN_LIFE_S
    ) -> Path:
        """Write a token for a person or service to a file that only its owner can read; the file.

        Raises
        ------
        KeyFileUnusable
            If the signing key is readable by others or is none.
        """
        make_dirs(self.jwks.parent)
        make_dirs(self.data / "tokens")
        key = load_or_make(self.jwks.parent / "signing.key")
        write_atomic(self.jwks, json.dumps(tokens.jwks([key.public_key()])).encode(), 0o644)
        token = tokens.mint(
            key,
            subject=subject,
            scopes=scopes,
            ttl_s=ttl_s,
            issuer=ISSUER,
            audience=AUDIENCE,
            clock=clock,
            backdate_s=TOKEN_LIFE_S,  # a clock that is set back must not part the services
        )
        write_atomic(self.token(subject), token.encode() + b"\n", 0o600)
        return self.token(subject)

    def ports(self) -> dict[str, int]:
        """A port for each service and the devnet: the same as last time where they are free."""
        file = self.data / "ports.json"
        before: dict[str, int] = json.loads(file.read_bytes()) if file.exists() else {}
        probes = {name: _free(before.get(name, 0)) for name in ("devnet", *SERVICES)}
        # All are held until every port is known, so that no two get the same one.
        ports = {name: int(probe.getsockname()[1]) for name, probe in probes.items()}
        for probe in probes.values():
            probe.close()
        write_atomic(file, json.dumps(ports).encode(), 0o600)
        return ports


def _free(port: int) -> socket.socket:
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError:
        probe.bind((HOST, 0))
    return probe
