"""One-time names and passwords.

Only a salted hash is kept: the password is shown once, to whoever made the server.
"""

import hashlib
import hmac
import secrets

# Without what people confuse when they read it aloud: 0 O 1 I l.
_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH = 22  # 57 letters: 128 bits


def new_username() -> str:
    """A name no account of the machine has, such as `u7k2p9xq`."""
    return "u" + "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(9))


def new_password() -> str:
    """128 bits, in letters and digits that are easy to type."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def seal(password: str) -> str:
    """`salt:hash`. Plain SHA-256 suffices: 128 random bits cannot be guessed, however fast the guessing."""
    salt = secrets.token_hex(16)
    return f"{salt}:{_hash(salt, password)}"


def opens(sealed: str, password: str) -> bool:
    """Whether `password` is the one that was sealed; takes the same time either way."""
    salt, _, expected = sealed.partition(":")
    return hmac.compare_digest(_hash(salt, password), expected)


def _hash(salt: str, password: str) -> str:
    return hashlib.sha256(f"{salt}:{password}".encode("utf-8", "surrogateescape")).hexdigest()
