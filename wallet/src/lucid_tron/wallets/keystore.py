"""The keystore: secrets wrapped under a master key, which a passphrase opens.

    passphrase ─ scrypt ─▶ key ─ AES-256-GCM ─▶ master keys ─ AES-256-GCM ─▶ each secret

The file holds the salt and the wrapped master keys and nothing else; wrapped secrets lie in the database.
Each is bound to its wallet by authenticated data, so one cannot be put in another's place. It is one more
adapter of the key custody port: the key file or a transit engine serve wallets just as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import scrypt
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lucid_kit import fault
from lucid_kit.custody import CannotUnwrap, WrappedKey
from lucid_kit.files import write_atomic
from lucid_tron.wallets.errors import KeystoreDamaged, KeystoreExposed, WrongPassphrase

_NONCE = 12
_VERSION = 1
_MASTER_CONTEXT = b"lucid-tron keystore v1 master key "


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters: 128 × n × r bytes of memory, p times; the default takes 128 MiB."""

    n: int = 1 << 17
    r: int = 8
    p: int = 1


@dataclass(frozen=True, slots=True, repr=False)
class _Lock:
    """What a passphrase was stretched to, and how."""

    key: bytes
    salt: bytes
    cost: Cost

    @classmethod
    def new(cls, passphrase: str, cost: Cost) -> _Lock:
        return cls.of(passphrase, os.urandom(32), cost)

    @classmethod
    def of(cls, passphrase: str, salt: bytes, cost: Cost) -> _Lock:
        # A damaged file must not make us fill the memory: four times the default at most.
        if not (1 < cost.n <= 1 << 19 and 1 <= cost.r <= 8 and 1 <= cost.p <= 4):
            raise ValueError("scrypt's parameters are out of range")
        memory = 128 * cost.n * cost.r + (2 << 20)
        key = scrypt(passphrase.encode(), salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=32)
        return cls(key, salt, cost)


class Keystore:
    """An opened keystore. It shows nothing of its keys."""

    def __init__(self, path: Path, lock: _Lock, masters: Mapping[str, bytes]) -> None:
        self.path = path
        self._lock = lock
        self._masters = dict(masters)

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
        made = cls(path, _Lock.new(passphrase, cost or Cost()), {"1": os.urandom(32)})
        made._write()
        return made

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
                raise KeystoreDamaged(f"{path} has version {stored['version']!r}, not {_VERSION}")
            cost = Cost(**{name: int(stored["scrypt"][name]) for name in ("n", "r", "p")})
            lock = _Lock.of(passphrase, bytes.fromhex(stored["scrypt"]["salt"]), cost)
            wrapped = {str(id_): bytes.fromhex(text) for id_, text in stored["masters"].items()}
            masters = {
                id_: _open(lock.key, blob, _MASTER_CONTEXT + id_.encode()) for id_, blob in wrapped.items()
            }
            if not masters:
                raise KeystoreDamaged(f"{path} holds no master key")
        except InvalidTag:
            raise WrongPassphrase(f"{path} does not open with this passphrase") from None
        except (ValueError, KeyError, TypeError, AttributeError, MemoryError) as error:
            raise KeystoreDamaged(f"{path} is not a keystore") from error
        return cls(path, lock, masters)

    def change_passphrase(self, passphrase: str, cost: Cost | None = None) -> None:
        """Write the file anew under another passphrase. Wrapped secrets stay as they are."""
        self._lock = _Lock.new(passphrase, cost or self._lock.cost)
        fault.point("keystore-rewrapped")
        # Ends here: the old file stands, with the old passphrase.
        self._write()

    async def wrap(self, plaintext: bytes, context: Mapping[str, str]) -> WrappedKey:
        """Encrypt a secret under the newest master key, bound to `context`: nonce ‖ ciphertext ‖ tag."""
        key_id = next(reversed(self._masters))
        return WrappedKey(_seal(self._masters[key_id], plaintext, _bind(context)), key_id)

    async def unwrap(self, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        """Decrypt a secret.

        Raises
        ------
        CannotUnwrap
            If it was altered, belongs to another context, or to another keystore.
        """
        try:
            return _open(self._masters[wrapped.key_id], wrapped.bytes, _bind(context))
        except (InvalidTag, KeyError, ValueError):
            said = "A secret does not open: altered, moved, or of another keystore"
            raise CannotUnwrap(said, **dict(context)) from None

    async def rotate(self) -> str:
        """Make a new master key for what is wrapped from now on; older ones still unwrap. Gives its id."""
        key_id = str(len(self._masters) + 1)
        self._masters[key_id] = os.urandom(32)
        # Before anything is wrapped under it: the file must hold the key by then.
        self._write()
        return key_id

    def _write(self) -> None:
        cost = self._lock.cost
        stored = {
            "version": _VERSION,
            "scrypt": {"n": cost.n, "r": cost.r, "p": cost.p, "salt": self._lock.salt.hex()},
            "masters": {
                id_: _seal(self._lock.key, master, _MASTER_CONTEXT + id_.encode()).hex()
                for id_, master in self._masters.items()
            },
        }
        write_atomic(self.path, json.dumps(stored, indent=2).encode() + b"\n", 0o600)


async def open_keystore(path: Path, passphrase: str) -> Keystore:
    """`Keystore.open` without stopping the event loop for the time scrypt takes."""
    return await asyncio.to_thread(Keystore.open, path, passphrase)


def _bind(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(context), sort_keys=True, separators=(",", ":")).encode()


def _seal(key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound)


def _open(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
