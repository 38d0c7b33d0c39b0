"""Ed25519 private keys in files of their own (PEM, PKCS 8), which only their owner can read."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lucid_kit.errors import SystemFault
from lucid_kit.files import write_atomic


class KeyFileUnusable(SystemFault):
    """A file with a private key cannot be used."""

    code = "LUCID_ERR_5020"
    advice = "Give the file back to its owner alone (chmod 600), or restore it from a backup."


def load_or_make(path: Path) -> Ed25519PrivateKey:
    """The key in `path`; made, durably, if there is no such file.

    Raises
    ------
    KeyFileUnusable
        If others than the owner can read the file, or it holds no Ed25519 private key.
    """
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        write_atomic(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        return key
    if path.stat().st_mode & 0o077:
        raise KeyFileUnusable(f"{path} can be read by others than its owner", file=path)
    try:
        loaded = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileUnusable(f"{path} holds no private key: {error}", file=path) from None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise KeyFileUnusable(f"{path} holds a key of another kind than Ed25519", file=path)
    return loaded
