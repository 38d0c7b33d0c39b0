"""The signing key of an instance and the tokens made with it."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lucid_kit import tokens
from lucid_kit.clock import Clock
from lucid_kit.errors import SystemFault
from lucid_kit.files import make_dirs, write_atomic

ISSUER = "lucid"
AUDIENCE = "lucid"
TOKEN_LIFE_S = 24 * 3600
"""Life of a locally minted token. `lucid up` writes new ones at half of it, so a long-running instance never expires."""

SCOPES: dict[str, tuple[str, ...]] = {
    "operator": ("*",),
    "sessions": ("rdp:read", "rdp:write"),
}
"""What each locally minted token may do; the names are the subjects."""


class SigningKeyUnusable(SystemFault):
    """The key that signs access tokens cannot be used."""

    code = "LUCID_ERR_5020"
    advice = "Restore the file from a backup, or remove it: `lucid up` makes a new one and old tokens end."


class Issuer:
    """Mints access tokens (EdDSA JWT, RFC 8037) with the signing key in `directory`, made on first use.

    Raises
    ------
    SigningKeyUnusable
        If the key file is readable by others or holds no Ed25519 key.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._key = self._load_or_make()

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
        )
        write_atomic(target, token.encode() + b"\n", 0o600)

    def _load_or_make(self) -> Ed25519PrivateKey:
        path = self._directory / "signing.key"
        make_dirs(self._directory)
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            write_atomic(
                path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600
            )
            return key
        if path.stat().st_mode & 0o077:
            raise SigningKeyUnusable(f"{path} can be read by others than its owner")
        try:
            loaded = load_pem_private_key(path.read_bytes(), password=None)
        except ValueError as error:
            raise SigningKeyUnusable(f"{path} holds no private key: {error}") from None
        if not isinstance(loaded, Ed25519PrivateKey):
            raise SigningKeyUnusable(f"{path} holds a key of another kind than Ed25519")
        return loaded
