"""Backup phrases of BIP 39: 12 to 24 English words that carry their own checksum.

https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki; `bip39_english.txt` is the list of that
document (SHA-256 2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda).
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from hashlib import pbkdf2_hmac, sha256
from importlib.resources import files

from lucid_tron.keys.errors import InvalidMnemonic

_ROUNDS = 2048  # fixed by BIP 39


@cache
def words() -> tuple[str, ...]:
    """The 2048 words, in order."""
    return tuple(files(__package__).joinpath("bip39_english.txt").read_text("utf-8").split())


@cache
def _numbers() -> dict[str, int]:
    return {word: number for number, word in enumerate(words())}


def from_entropy(entropy: bytes) -> str:
    """The phrase for 16, 20, 24, 28 or 32 bytes of entropy.

    Raises
    ------
    InvalidMnemonic
        If there is another number of bytes.
    """
    if len(entropy) not in (16, 20, 24, 28, 32):
        raise InvalidMnemonic(f"Entropy has 16, 20, 24, 28 or 32 bytes, not {len(entropy)}")
    checksum_bits = len(entropy) // 4
    bits = int.from_bytes(entropy, "big") << checksum_bits | sha256(entropy).digest()[0] >> (
        8 - checksum_bits
    )
    count = (len(entropy) * 8 + checksum_bits) // 11
    return " ".join(words()[bits >> 11 * place & 0x7FF] for place in reversed(range(count)))


def generate(word_count: int = 24) -> str:
    """A new phrase from the operating system's randomness.

    Raises
    ------
    InvalidMnemonic
        If `word_count` is not 12, 15, 18, 21 or 24.
    """
    if word_count not in (12, 15, 18, 21, 24):
        raise InvalidMnemonic(f"A phrase has 12, 15, 18, 21 or 24 words, not {word_count}")
    return from_entropy(secrets.token_bytes(word_count * 4 // 3))


def check(phrase: str) -> str:
    """The phrase in its normal form (lower case, single spaces).

    Raises
    ------
    InvalidMnemonic
        If the number of words, a word or the checksum is wrong. The message tells which word by its place
        and never repeats a word: messages are logged.
    """
    given = unicodedata.normalize("NFKD", phrase).lower().split()
    if len(given) not in (12, 15, 18, 21, 24):
        raise InvalidMnemonic(f"A phrase has 12, 15, 18, 21 or 24 words, not {len(given)}")
    bits = 0
    for place, word in enumerate(given, 1):
        number = _numbers().get(word)
        if number is None:
            raise InvalidMnemonic(f"Word {place} is not in the English list of BIP 39")
        bits = bits << 11 | number
    normal = " ".join(given)
    entropy = (bits >> len(given) // 3).to_bytes(len(given) * 4 // 3, "big")
    if from_entropy(entropy) != normal:
        raise InvalidMnemonic("The checksum is wrong: a word is mistyped or two are swapped")
    return normal


def seed(phrase: str, passphrase: str = "") -> bytes:
    """The 64 bytes that BIP 32 starts from.

    Raises
    ------
    InvalidMnemonic
        If the phrase is not valid.
    """
    salt = unicodedata.normalize("NFKD", "mnemonic" + passphrase).encode()
    return pbkdf2_hmac("sha512", check(phrase).encode(), salt, _ROUNDS)
