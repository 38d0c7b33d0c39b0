"""Whom to trust: trust.json (docs/specs/trust.md). C2SP tools can read it; Lucid's own part is `lucid`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lucid_proof.canonical import JSON, MAX_INTEGER
from lucid_proof.errors import MalformedNote, MalformedPolicy
from lucid_proof.note import COSIGNATURE_V1, ED25519, VerifierKey

MAX_POLICY: Final = 64 * 1024
MAX_WITNESSES: Final = 100
DEFAULT_CLOCK_SKEW_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Which log, which witnesses and how many of them make evidence count.

    Attributes
    ----------
    origin : str
        The log's origin, which is the chain's id.
    log : VerifierKey
        The log's key (Ed25519, type 1); its signature is always needed.
    witnesses : tuple of VerifierKey
        Cosigners (cosignature/v1, type 4), no two with the same key.
    quorum : int
        How many of the witnesses must have cosigned.
    max_clock_skew_ms : int
        By how much claimed times may lie outside of what blocks prove.
    recorders : frozenset of bytes or None
        Recorder keys that are accepted; None for every one that the chain admitted.
    """

    origin: str
    log: VerifierKey
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    max_clock_skew_ms: int = DEFAULT_CLOCK_SKEW_MS
    recorders: frozenset[bytes] | None = field(default=None)

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin:
            raise MalformedPolicy("the origin is one line of text", "origin")
        if self.log.type != ED25519:
            raise MalformedPolicy("the log's key has signature type 0x01 (Ed25519)", "log")
        if len(self.witnesses) > MAX_WITNESSES:
            raise MalformedPolicy(
                f"{len(self.witnesses)} witnesses; at most {MAX_WITNESSES} are read", "witnesses"
            )
        if any(each.type != COSIGNATURE_V1 for each in self.witnesses):
            raise MalformedPolicy("a witness's key has signature type 0x04 (cosignature/v1)", "witnesses")
        # A cosignature/v1 does not bind its signer's name: one key under two names would count twice.
        if len({each.public for each in self.witnesses}) != len(self.witnesses):
            raise MalformedPolicy(
                "two witnesses have the same key; one signature would count twice", "witnesses"
            )
        if not 0 <= self.quorum <= len(self.witnesses):
            raise MalformedPolicy(
                f"a quorum of {self.quorum} out of {len(self.witnesses)} witnesses", "quorum"
            )
        if not 0 <= self.max_clock_skew_ms <= MAX_INTEGER:
            raise MalformedPolicy("a number of milliseconds", "lucid.max_clock_skew_ms")

    @classmethod
    def load(cls, path: str | Path) -> TrustPolicy:
        """Read trust.json from a file.

        Raises
        ------
        MalformedPolicy
            If the file cannot be read or is no trust policy.
        """
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_POLICY + 1)
        except OSError as error:
            raise MalformedPolicy(f"cannot be read: {error.strerror or error}", str(path)) from error
        try:
            return cls.parse(data)
        except MalformedPolicy as error:
            raise MalformedPolicy(
                error.what, f"{path}: {error.where}" if error.where else str(path)
            ) from error

    @classmethod
    def parse(cls, data: bytes | str) -> TrustPolicy:
        """Read the text of a trust.json. Unknown members are ignored at the top and errors in `lucid`.

        Raises
        ------
        MalformedPolicy
            Naming the member that is wrong.
        """
        if len(data) > MAX_POLICY:
            raise MalformedPolicy(f"larger than {MAX_POLICY} bytes")
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise MalformedPolicy("not JSON") from error
        members = _object(document, "the whole")
        lucid = _object(members.get("lucid", {}), "lucid")
        if unknown := lucid.keys() - {"max_clock_skew_ms", "recorders"}:
            raise MalformedPolicy(f"unknown members {sorted(unknown)}", "lucid")
        witnesses = _texts(members.get("witnesses", []), "witnesses")
        return cls(
            origin=_text(members.get("origin"), "origin"),
            log=_vkey(_text(members.get("log"), "log"), "log"),
            witnesses=tuple(_vkey(each, f"witnesses[{at}]") for at, each in enumerate(witnesses)),
            quorum=_integer(members.get("quorum"), "quorum"),
            max_clock_skew_ms=_integer(
                lucid.get("max_clock_skew_ms", DEFAULT_CLOCK_SKEW_MS), "lucid.max_clock_skew_ms"
            ),
            recorders=_recorders(lucid["recorders"]) if "recorders" in lucid else None,
        )

    def to_json(self) -> dict[str, JSON]:
        """The document that `parse` reads."""
        lucid: dict[str, JSON] = {"max_clock_skew_ms": self.max_clock_skew_ms}
        if self.recorders is not None:
            lucid["recorders"] = sorted(each.hex() for each in self.recorders)
        return {
            "origin": self.origin,
            "log": str(self.log),
            "witnesses": [str(each) for each in self.witnesses],
            "quorum": self.quorum,
            "lucid": lucid,
        }


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedPolicy("not a JSON object", where)
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise MalformedPolicy("missing, or not a text", where)
    return value


def _texts(value: object, where: str) -> list[str]:
    if not isinstance(value, list):
        raise MalformedPolicy("not a list", where)
    return [_text(each, f"{where}[{at}]") for at, each in enumerate(value)]


def _integer(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedPolicy("missing, or not a whole number", where)
    return value


def _vkey(text: str, where: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except MalformedNote as error:
        raise MalformedPolicy(error.what, where) from error


def _recorders(value: object) -> frozenset[bytes]:
    keys = set()
    for at, text in enumerate(_texts(value, "lucid.recorders")):
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != 32 or key.hex() != text:
            raise MalformedPolicy("not a key in 64 lowercase hex digits", f"lucid.recorders[{at}]")
        keys.add(key)
    return frozenset(keys)
