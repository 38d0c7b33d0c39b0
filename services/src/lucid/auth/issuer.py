"""The signing key of an instance and the tokens made with it."""

import json
from pathlib import Path

from lucid_kit import tokens
from lucid_kit.clock import Clock
from lucid_kit.files import make_dirs, write_atomic
from lucid_kit.keyfile import load_or_make

ISSUER = "lucid"
AUDIENCE = "lucid"
TOKEN_LIFE_S = 24 * 3600
"""Life of a locally minted token. `lucid up` writes new ones at half of it, for as long as it runs."""

SCOPES: dict[str, tuple[str, ...]] = {
    "operator": ("*",),
    "sessions": ("rdp:read", "rdp:write"),
}
"""What each locally minted token may do; the names are the subjects."""


class Issuer:
    """Mints access tokens (EdDSA JWT, RFC 8037) with the signing key in `directory`, made on first use.

    Raises
    ------
    KeyFileUnusable
        If the key file is readable by others or holds no Ed25519 key.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        make_dirs(directory)
        self._clock = clock
        self._key = load_or_make(directory / "signing.key")

    def publish(self, jwks: Path) -> None:
        """Write the public key set."""
        write_atomic(jwks, json.dumps(tokens.jwks([self._key.public_key()])).encode(), 0o644)

    def mint(self, subject: str, target: Path) -> None:
        """Write a token for one of `SCOPES` to a file that only its owner can read."""
        token = tokens.mint(
            self._key,
            subject=subject,
            scopes=SCOPES[subject],
            ttl_s=TOKEN_LIFE_S,
            issuer=ISSUER,
            audience=AUDIENCE,
            clock=self._clock,
            # A clock that is set back must not lock out the operator, nor the services each other.
            backdate_s=TOKEN_LIFE_S,
        )
        write_atomic(target, token.encode() + b"\n", 0o600)
