"""Signed notes and their keys: c2sp.org/signed-note, with Ed25519 (type 1) and cosignature/v1 (type 4)."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_proof import ed25519
from lucid_proof.domains import digest
from lucid_proof.errors import BadSignature, MalformedNote

ED25519: Final = 0x01
COSIGNATURE_V1: Final = 0x04

MAX_NOTE: Final = 256 * 1024
MAX_SIGNATURES: Final = 128
_MAX_TIME: Final = 2**63 - 1
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that notes are checked with, as a C2SP vkey writes it.

    Attributes
    ----------
    name : str
        Key name; no spaces, no plus.
    type : int
        `ED25519` (a log's signature) or `COSIGNATURE_V1` (a witness's).
    public : bytes
        The 32-byte Ed25519 public key.
    """

    name: str
    type: int
    public: bytes
    id: bytes = field(init=False)
    """The 4-byte key ID, as the specification recommends and cosignatures require."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.type not in (ED25519, COSIGNATURE_V1):
            raise MalformedNote(f"signature type {self.type:#04x}; known are 0x01 and 0x04", self.name)
        if len(self.public) != ed25519.KEY_SIZE or ed25519.is_weak(self.public):
            raise MalformedNote("not a usable Ed25519 public key", self.name)
        object.__setattr__(self, "id", key_id(self.name, self.type, self.public))

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read a vkey.

        Raises
        ------
        MalformedNote
            If it is none, of an unknown type, or its key ID is not that of its key.
        """
        parts = vkey.split("+", 2)
        if len(parts) != 3:
            raise MalformedNote("a verifier key is name+id+key", vkey[:80])
        name, hex_id, encoded = parts
        material = b64decode(encoded, vkey[:80])
        if not material:
            raise MalformedNote("a verifier key without a key", vkey[:80])
        key = cls(name, material[0], material[1:])
        if hex_id != key.id.hex():
            raise MalformedNote(f"the key ID is {hex_id[:8]}, but name and key give {key.id.hex()}", name)
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.type]) + self.public)}"

    def verify(self, text: bytes, signature: bytes) -> int | None:
        """Check this key's signature over a note's text.

        Returns
        -------
        int or None
            Seconds since 1970 that a cosignature states; None for a plain signature.

        Raises
        ------
        BadSignature
            If it does not verify.
        """
        time_s = None
        message, raw = text, signature
        if self.type == COSIGNATURE_V1:
            time_s = int.from_bytes(signature[:8], "big")
            message, raw = cosigned(text, time_s), signature[8:]
            if len(signature) != 8 + ed25519.SIGNATURE_SIZE or time_s > _MAX_TIME:
                raise BadSignature("the cosignature is malformed", self.name)
        if not ed25519.verify(self.public, raw, message):
            raise BadSignature(
                "the signature does not verify; the text is not what this key signed", self.name
            )
        return time_s


class NoteSigner(Protocol):
    """A private key that signs notes."""

    @property
    def verifier(self) -> VerifierKey: ...

    def sign(self, text: bytes, time_s: int) -> bytes:
        """The signature proper: what follows the key ID."""
        ...


class SignerKey:
    """A log's key: Ed25519 over the note's text (type 1)."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifier = VerifierKey(name, ED25519, ed25519.public_bytes(private))

    def sign(self, text: bytes, time_s: int = 0) -> bytes:  # noqa: ARG002 — one shape with a cosigner
        return self._private.sign(text)


class CosignerKey:
    """A witness's key: a timestamped cosignature/v1 (type 4)."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifier = VerifierKey(name, COSIGNATURE_V1, ed25519.public_bytes(private))

    def sign(self, text: bytes, time_s: int) -> bytes:
        """Cosign as of `time_s`, seconds since 1970."""
        if not 0 <= time_s <= _MAX_TIME:
            raise ValueError(f"{time_s} is no time of a cosignature")
        return time_s.to_bytes(8, "big") + self._private.sign(cosigned(text, time_s))


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note: who claims to have signed, and the bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        return f"— {self.name} {b64encode(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that verified: by which key, and the time that a cosignature states (s since 1970)."""

    key: VerifierKey
    time_s: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """A text (with its final newline) and its signature lines. Trust nothing of it before `verify`."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note strictly.

        Raises
        ------
        MalformedNote
            If it is not of the form of c2sp.org/signed-note, is larger than 256 KiB, or has more than 128
            signatures.
        """
        if len(data) > MAX_NOTE:
            raise MalformedNote(f"a note of {len(data)} bytes; at most {MAX_NOTE} are read")
        try:
            whole = data.decode()
        except UnicodeDecodeError as error:
            raise MalformedNote("a note that is not UTF-8", f"byte {error.start}") from error
        if _CONTROL.search(whole):
            raise MalformedNote("a note with control characters")
        body, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise MalformedNote("a note is a text, an empty line, and signature lines")
        signed = lines[:-1].split("\n")
        if len(signed) > MAX_SIGNATURES:
            raise MalformedNote(f"a note with {len(signed)} signatures; at most {MAX_SIGNATURES} are read")
        return cls(body + "\n", tuple(_signature(line) for line in signed))

    def bytes(self) -> bytes:
        return (self.text + "\n" + "".join(each.line() for each in self.signatures)).encode()

    def verify(self, keys: Iterable[VerifierKey]) -> tuple[Signed, ...]:
        """Check every signature by a known key; others are ignored, as the specification asks.

        Returns
        -------
        tuple of Signed
            One for each known key that signed, in the order of the lines; empty if none did.

        Raises
        ------
        BadSignature
            If a signature by a known key does not verify.
        """
        known = {(key.name, key.id): key for key in keys}
        text = self.text.encode()
        found: dict[tuple[str, bytes], Signed] = {}
        for each in self.signatures:
            key = known.get((each.name, each.key_id))
            if key is not None:
                signed = Signed(key, key.verify(text, each.signature))
                found.setdefault((each.name, each.key_id), signed)
        return tuple(found.values())


def sign(text: str, keys: Sequence[NoteSigner], time_s: int) -> bytes:
    """A note over `text`, signed by each key in order; cosigners state `time_s` (s since 1970).

    Raises
    ------
    MalformedNote
        If `text` does not end in a newline or holds control characters.
    """
    if not text.endswith("\n") or _CONTROL.search(text):
        raise MalformedNote("a note's text ends in a newline and has no control characters")
    message = text.encode()
    lines = tuple(Signature(key.verifier.name, key.verifier.id, key.sign(message, time_s)) for key in keys)
    return Note(text, lines).bytes()


def key_id(name: str, signature_type: int, public: bytes) -> bytes:
    """The 4 bytes that name a key in signature lines (c2sp.org/signed-note § Signatures)."""
    return digest(name.encode() + b"\n" + bytes([signature_type]) + public)[:4]


def cosigned(text: bytes, time_s: int) -> bytes:
    """The message under a cosignature/v1 (c2sp.org/tlog-cosignature § Ed25519 signed message)."""
    return b"cosignature/v1\ntime %d\n" % time_s + text


def b64encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def b64decode(text: str, where: str = "") -> bytes:
    """Decode standard base64, accepting only what `b64encode` writes.

    Raises
    ------
    MalformedNote
        For anything else, unused bits that are not zero included.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedNote("not base64", where) from None
    if b64encode(data) != text:
        raise MalformedNote("base64, but not in its one canonical form", where)
    return data


def _signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—":
        raise MalformedNote("a signature line is an em dash, a key name and base64", line[:80])
    name = parts[1]
    _check_name(name)
    raw = b64decode(parts[2], name)
    if len(raw) < 5:
        raise MalformedNote("a signature of fewer than 5 bytes", name)
    return Signature(name, raw[:4], raw[4:])


def _check_name(name: str) -> None:
    spaced = any(char.isspace() or unicodedata.category(char) == "Zs" for char in name)
    if not name or "+" in name or spaced or _CONTROL.search(name):
        raise MalformedNote("a key name is not empty and has neither spaces nor plus", repr(name[:80]))
