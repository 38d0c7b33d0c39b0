"""Checks of a record's members: what is wrong and where, in the words of docs/specs/records.md."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from lucid_proof.canonical import MAX_INTEGER
from lucid_proof.errors import MalformedRecord

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")
_SESSION: Final = re.compile(r"ses_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")
_REASON: Final = re.compile(r"[a-z0-9-]{1,64}")


def members(value: object, names: Iterable[str], where: str) -> dict[str, Any]:
    """`value` as an object that has exactly these members.

    Raises
    ------
    MalformedRecord
        If it is none, lacks one or has another.
    """
    if not isinstance(value, dict):
        raise MalformedRecord("not a JSON object", where)
    wanted = set(names)
    if missing := wanted - value.keys():
        raise MalformedRecord(f"the member {min(missing)!r} is missing", where)
    if unknown := value.keys() - wanted:
        raise MalformedRecord(f"the member {min(unknown)[:64]!r} is unknown", where)
    return value


def text(value: object, where: str, longest: int = 256) -> str:
    """A string of 1 … `longest` characters, none of them a control character."""
    if not isinstance(value, str) or not 1 <= len(value) <= longest or any(ord(each) < 32 for each in value):
        raise MalformedRecord(f"not a text of 1 to {longest} characters without control characters", where)
    return value


def integer(value: object, where: str, lowest: int = 0, highest: int = MAX_INTEGER) -> int:
    """An integer within bounds; a boolean is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise MalformedRecord(f"not an integer from {lowest} to {highest}", where)
    return value


def binary(value: object, where: str, size: int = 32) -> bytes:
    """Exactly `size` bytes in lowercase hexadecimal."""
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise MalformedRecord(f"not {size} bytes in lowercase hexadecimal", where)
    return bytes.fromhex(value)


def session(value: object, where: str) -> str:
    """A session's id: `ses_` and a UUIDv7 as 32 hex digits."""
    if not isinstance(value, str) or not _SESSION.fullmatch(value):
        raise MalformedRecord("not a session's id: ses_ and a UUIDv7 as 32 lowercase hex digits", where)
    return value


def reason(value: object, where: str) -> str:
    """A machine-readable reason, `[a-z0-9-]{1,64}`."""
    if not isinstance(value, str) or not _REASON.fullmatch(value):
        raise MalformedRecord("not a reason: 1 to 64 characters of a-z, 0-9 and -", where)
    return value


def one_of(value: object, choices: tuple[str, ...], where: str) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise MalformedRecord(f"not one of {', '.join(choices)}", where)
    return value
