"""The two keys of a validator, each in a file that only its user may read; never in argv, a log or an error.

`keys/log.pem` signs the log's checkpoints; `keys/validator.pem` cosigns them as a witness and signs the
validator's transactions (the two messages have different domains). PKCS #8 PEM, so that any tool can read
them.
"""

from __future__ import annotations

import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_blocks.faults import KeyUnusable
from lucid_kit.files import write_atomic


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and store it durably with mode 0600."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_atomic(path, pem, 0o600)
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a key.

    Raises
    ------
    KeyUnusable
        If the file is missing, readable by others, or no Ed25519 key in PKCS #8 PEM.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                raise KeyUnusable(f"{path} has mode {mode:04o}: others may read it.", path=path)
            data = file.read(4096)
    except OSError as error:
        raise KeyUnusable(f"{path} cannot be read: {error.strerror}.", path=path) from error
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise KeyUnusable(f"{path} is no key in PKCS #8 PEM without a password.", path=path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path} holds a key that is not Ed25519.", path=path)
    return key
