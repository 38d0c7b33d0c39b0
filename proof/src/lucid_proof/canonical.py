"""Canonical JSON: RFC 8785 (JCS), narrowed to integers, read strictly (docs/specs/encoding.md).

One value has one encoding and one encoding has one value, so a hash of the bytes is a hash of the value.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn, TypeAlias

from lucid_proof.errors import NotCanonical

# `Any` stands for JSON again: a recursive alias makes every caller narrow each level by hand.
JSON: TypeAlias = bool | int | str | list[Any] | dict[str, Any] | None

MAX_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 32

# `sort_keys` sorts by code point, which is the order of RFC 8785 as long as names are ASCII.
_ASCII_NAMES: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
)
_AS_GIVEN: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(value: JSON) -> bytes:
    """Canonical bytes of `value`.

    Raises
    ------
    NotCanonical
        For anything but null, booleans, integers in ±(2⁵³−1), Unicode strings, lists, and dicts with string
        keys; for more than 32 levels; for lone surrogates. `where` is a path such as `$.body.seq`.
    """
    try:
        if _is_plain(value, 0):
            return _ASCII_NAMES.encode(value).encode()
        return _AS_GIVEN.encode(_ordered(value, "$", 0)).encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("a string holds a lone surrogate, which is not Unicode", "$") from error


def decode(data: bytes) -> JSON:
    """Value of canonical bytes.

    Raises
    ------
    NotCanonical
        If `data` is not JSON, or is JSON but not the canonical form of its own value.
    """
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_closed,
            parse_int=_integer,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except UnicodeDecodeError as error:
        raise NotCanonical("not UTF-8", f"byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise NotCanonical(f"not JSON: {error.msg}", f"character {error.pos}") from error
    except RecursionError:
        raise NotCanonical(f"nested more than {MAX_DEPTH} levels deep", "$") from None
    # A parsed value of ASCII text without many brackets can only be plain: the check of `encode` is saved.
    shallow = data.isascii() and b"\\u" not in data and data.count(b"{") + data.count(b"[") <= MAX_DEPTH
    if (_ASCII_NAMES.encode(value).encode() if shallow else encode(value)) != data:
        raise NotCanonical("JSON, but not in canonical form (order of members, spaces, escapes)", "$")
    checked: JSON = value
    return checked


def _is_plain(value: object, depth: int) -> bool:
    """Whether `value` surely has a canonical form and only ASCII names: the common case, quickly."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -MAX_INTEGER <= value <= MAX_INTEGER  # type: ignore[operator]
    if depth == MAX_DEPTH:
        return False
    if kind is dict:
        for name, item in value.items():  # type: ignore[attr-defined]
            if type(name) is not str or not name.isascii() or not _is_plain(item, depth + 1):
                return False
        return True
    return kind is list and all(_is_plain(item, depth + 1) for item in value)  # type: ignore[attr-defined]


def _ordered(value: object, where: str, depth: int) -> object:
    """`value` with the members of every object in the order of RFC 8785 § 3.2.3 (UTF-16 code units)."""
    if depth > MAX_DEPTH:
        raise NotCanonical(f"nested more than {MAX_DEPTH} levels deep", where)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotCanonical("an integer beyond ±(2⁵³−1)", where)
        return int(value)
    if isinstance(value, list):
        return [_ordered(item, f"{where}[{at}]", depth + 1) for at, item in enumerate(value)]
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise NotCanonical("a member's name that is not a string", where)
        # surrogatepass: a lone surrogate in a name is refused by the encoder, with the others.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _ordered(value[name], f"{where}.{name}", depth + 1) for name in names}
    raise NotCanonical(f"a {type(value).__name__}, which has no canonical form", where)


def _closed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise NotCanonical(f"the member {twice[:64]!r} stands twice", "$")
    return members


def _integer(digits: str) -> int:
    # Python refuses thousands of digits in its own way; 17 characters hold every integer allowed.
    if len(digits) > 17:
        raise NotCanonical("an integer beyond ±(2⁵³−1)", "$")
    value = int(digits)
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise NotCanonical("an integer beyond ±(2⁵³−1)", "$")
    return value


def _no_float(text: str) -> NoReturn:
    raise NotCanonical(f"the number {text[:40]}; numbers are integers without exponent", "$")
