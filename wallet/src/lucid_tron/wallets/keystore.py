"""The keystore: secrets wrapped under a master key, which a passphrase opens.

    passphrase ─ scrypt ─▶ key ─ AES-256-GCM ─▶ master key ─ AES-256-GCM ─▶ each secret

The file holds the salt and the wrapped master key and nothing else; wrapped secrets lie in the database.
Each is bound to its wallet by authenticated data, so one cannot be put in another's place. Wrapping goes
through a port (`wrap`, `unwrap`): a transit engine fits where this file is.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import scrypt
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lucid_kit import fault
from lucid_kit.files import write_atomic
from lucid_tron.wallets.errors import KeystoreDamaged, KeystoreExposed, WrongPassphrase

_NONCE = 12
_VERSION = 1
_MASTER_CONTEXT = b"lucid-tron keystore v1 master key"


class Custody(Protocol):
    """Who wraps secrets. Both calls may go over a network."""

    async def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """Encrypt a secret, bound to `context`."""
        ...

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Decrypt a secret that was wrapped with the same context."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters: 128 × n × r bytes of memory, p times; the default takes 128 MiB."""

    n: int = 1 << 17
    r: int = 8
    p: int = 1


@dataclass(frozen=True, slots=True)
class Keystore:
    """An opened keystore. It shows nothing of its key."""

    path: Path
    _master: bytes = field(repr=False)

    @classmethod
    def create(cls, path: Path, passphrase: str, cost: Cost | None = None) -> Keystore:
        """Make a keystore; the file has mode 0600 and must not exist.

        Raises
        ------
        FileExistsError
            If there is a file: a keystore is never overwritten, its keys would be lost.
        """
        if path.exists():
            raise FileExistsError(f"{path} exists; a keystore is never overwritten")
        master = os.urandom(32)
        _write(path, passphrase, master, cost or Cost())
        return cls(path, master)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Keystore:
        """Open a keystore.

        Raises
        ------
        KeystoreExposed
            If the file is not the user's own or others may read it.
        KeystoreDamaged
            If it is not a keystore.
        WrongPassphrase
            If the passphrase does not open it.
        FileNotFoundError
            If there is none.
        """
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
                raise KeystoreExposed(f"{path} has mode {stat.S_IMODE(status.st_mode):04o}, not 0600")
            content = file.read(64 << 10)
        try:
            stored = json.loads(content)
            if stored["version"] != _VERSION:
                raise KeystoreDamaged(
                    f"{path} has version {stored['version']!r}; this program reads {_VERSION}"
                )
            cost = Cost(**{name: int(stored["scrypt"][name]) for name in ("n", "r", "p")})
            salt, wrapped = bytes.fromhex(stored["scrypt"]["salt"]), bytes.fromhex(stored["master"])
            key = _stretch(passphrase, salt, cost)
        except (ValueError, KeyError, TypeError, MemoryError) as error:
            raise KeystoreDamaged(f"{path} is not a keystore") from error
        try:
            master = AESGCM(key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _MASTER_CONTEXT)
        except InvalidTag:
            raise WrongPassphrase(f"{path} does not open with this passphrase") from None
        return cls(path, master)

    def change_passphrase(self, passphrase: str, cost: Cost | None = None) -> None:
        """Write the file anew under another passphrase. Wrapped secrets stay as they are."""
        fault.point("keystore-rewrapped")
        # Ends here: the old file stands, with the old passphrase.
        _write(self.path, passphrase, self._master, cost or Cost())

    async def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """Encrypt a secret, bound to `context`: nonce ‖ ciphertext ‖ tag."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._master).encrypt(nonce, secret, _bind(context))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Decrypt a secret.

        Raises
        ------
        KeystoreDamaged
            If it was altered, belongs to another context, or to another keystore.
        """
        try:
            return AESGCM(self._master).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _bind(context))
        except (InvalidTag, ValueError):
            raise KeystoreDamaged(
                "A secret does not open: altered, moved, or of another keystore", **dict(context)
            ) from None


async def open_keystore(path: Path, passphrase: str) -> Keystore:
    """`Keystore.open` without stopping the event loop for the time scrypt takes."""
    return await asyncio.to_thread(Keystore.open, path, passphrase)


def _bind(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(context), sort_keys=True, separators=(",", ":")).encode()


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    # A damaged file must not make us fill the memory: four times the default at most.
    if not (1 < cost.n <= 1 << 19 and 1 <= cost.r <= 8 and 1 <= cost.p <= 4):
        raise ValueError("scrypt's parameters are out of range")
    memory = 128 * cost.n * cost.r + (2 << 20)
    return scrypt(passphrase.encode(), salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=32)


def _write(path: Path, passphrase: str, master: bytes, cost: Cost) -> None:
    salt, nonce = os.urandom(32), os.urandom(_NONCE)
    wrapped = nonce + AESGCM(_stretch(passphrase, salt, cost)).encrypt(nonce, master, _MASTER_CONTEXT)
    stored = {
        "version": _VERSION,
        "scrypt": {"n": cost.n, "r": cost.r, "p": cost.p, "salt": salt.hex()},
        "master": wrapped.hex(),
    }
    write_atomic(path, json.dumps(stored, indent=2).encode() + b"\n", 0o600)
