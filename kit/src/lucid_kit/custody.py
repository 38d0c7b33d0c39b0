"""Key custody: wraps keys under a key-encryption key that never leaves it; a port, and a file as adapter.

Whoever holds a wrapped key and asks in the same context gets the key; a context (such as the session's id)
that differs in one character is refused, so a wrapped key cannot be moved from one place to another unseen.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lucid_kit.errors import DomainError, SystemFault
from lucid_kit.files import write_atomic

_NONCE = 12
_KEY = 32


class CustodyUnusable(SystemFault):
    """The key-encryption key cannot be used."""

    code = "LUCID_ERR_5014"
    advice = "Restore the key file from its backup with mode 0600; without it no wrapped key can be opened."


class CannotUnwrap(DomainError):
    """This wrapped key cannot be opened here."""

    code = "LUCID_ERR_4005"
    advice = (
        "It was wrapped elsewhere, for something else, or was changed; restore it, or the right key file."
    )


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key that only its custody can open, and the id of the key-encryption key it is under."""

    bytes: bytes
    key_id: str


class KeyCustody(Protocol):
    """Wraps and unwraps keys of up to 4 KiB. Usable concurrently."""

    async def wrap(self, plaintext: bytes, context: Mapping[str, str]) -> WrappedKey:
        """Encrypt a key, bound to `context`, under the newest key-encryption key."""
        ...

    async def unwrap(self, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        """The key.

        Raises
        ------
        CannotUnwrap
            If it was altered, wrapped in another context, or under a key that is not here.
        """
        ...

    async def rotate(self) -> str:
        """Make a new key-encryption key, used from now on; older ones still unwrap. Gives its id."""
        ...


class KeyFile:
    """Custody in a file of its own: JSON with every version of the key, readable by its owner alone.

    The file is made, durably, when there is none. AES-256-GCM, a random 96-bit nonce each time (NIST SP
    800-38D § 8.2.2: safe for 2³² wraps a key), the context as associated data.

    Raises
    ------
    CustodyUnusable
        If others can read the file, or it is not what `KeyFile` wrote.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = self._load() if path.exists() else {}
        if not path.exists():
            self._add()

    async def wrap(self, plaintext: bytes, context: Mapping[str, str]) -> WrappedKey:
        key_id = next(reversed(self._keys))
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(self._keys[key_id]).encrypt(nonce, plaintext, _aad(key_id, context))
        return WrappedKey(nonce + sealed, key_id)

    async def unwrap(self, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        key = self._keys.get(wrapped.key_id)
        if key is None:
            raise CannotUnwrap(f"{self._path} holds no key {wrapped.key_id}", key_id=wrapped.key_id)
        nonce, sealed = wrapped.bytes[:_NONCE], wrapped.bytes[_NONCE:]
        try:
            return AESGCM(key).decrypt(nonce, sealed, _aad(wrapped.key_id, context))
        except (InvalidTag, ValueError):
            raise CannotUnwrap("The wrapped key was altered, or wrapped for something else") from None

    async def rotate(self) -> str:
        return self._add()

    def _add(self) -> str:
        key_id = f"kek_{secrets.token_hex(8)}"
        keys = {**self._keys, key_id: secrets.token_bytes(_KEY)}
        document = {"format": "lucid-keys/1", "keys": {name: key.hex() for name, key in keys.items()}}
        write_atomic(self._path, json.dumps(document).encode("ascii"), 0o600)
        self._keys = keys
        return key_id

    def _load(self) -> dict[str, bytes]:
        if self._path.stat().st_mode & 0o077:
            raise CustodyUnusable(f"{self._path} can be read by others than its owner", file=self._path)
        try:
            document = json.loads(self._path.read_bytes())
            keys = {str(name): bytes.fromhex(key) for name, key in document["keys"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CustodyUnusable(f"{self._path} is not a file of keys", file=self._path) from None
        if (
            document.get("format") != "lucid-keys/1"
            or not keys
            or any(len(key) != _KEY for key in keys.values())
        ):
            raise CustodyUnusable(f"{self._path} holds something else than keys of ours", file=self._path)
        return keys


def _aad(key_id: str, context: Mapping[str, str]) -> bytes:
    return json.dumps([key_id, context], sort_keys=True, separators=(",", ":")).encode()
