"""The contract ABI: calls encoded, outputs decoded strictly.

https://docs.soliditylang.org/en/latest/abi-spec.html; addresses are TRON addresses outside and 20 bytes
inside. Types are written as in Solidity: address, bool, uint256, int64, bytes32, bytes, string, T[], T[3]
and tuples in parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lucid_kit.errors import ValidationFailed
from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import keccak256

_INTEGER = re.compile(r"(u?)int(\d+)")
_FIXED = re.compile(r"bytes(\d+)")
_ARRAY = re.compile(r"(.+)\[(\d*)\]")


class AbiMismatch(ValidationFailed):
    """A value or an output does not fit its ABI type."""

    code = "LUCID_ERR_1740"
    advice = "Check the contract's address and the function's types; a node may also have answered wrongly."


def selector(signature: str) -> bytes:
    """The four bytes that name a function, such as transfer(address,uint256)."""
    return keccak256(signature.encode())[:4]


def encode_call(signature: str, *values: Any) -> bytes:
    """The data of a call.

    Raises
    ------
    AbiMismatch
        If a value does not fit its type, or there are too few or many.
    """
    return selector(signature) + encode(signature[signature.index("(") :], values)


def encode(kind: str, value: Any) -> bytes:
    """One value of a type; a tuple type such as (address,uint256) takes a sequence.

    Raises
    ------
    AbiMismatch
        If the value does not fit.
    """
    if kind.startswith("(") and kind.endswith(")"):
        return _encode_sequence(_members(kind), value, kind)
    if array := _ARRAY.fullmatch(kind):
        inner, length = array.groups()
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise AbiMismatch(f"{kind} takes a sequence, not {type(value).__name__}")
        head = b"" if length else _word(len(value))
        if length and len(value) != int(length):
            raise AbiMismatch(f"{kind} takes {length} values, not {len(value)}")
        return head + _encode_sequence([inner] * len(value), value, kind)
    if kind in ("bytes", "string"):
        raw = value.encode() if kind == "string" and isinstance(value, str) else value
        if not isinstance(raw, bytes):
            raise AbiMismatch(f"{kind} does not take {type(value).__name__}")
        return _word(len(raw)) + raw + bytes(-len(raw) % 32)
    return _encode_static(kind, value)


def _encode_static(kind: str, value: Any) -> bytes:
    if kind == "address" and isinstance(value, Address):
        return bytes(12) + value.evm
    if kind == "bool" and isinstance(value, bool):
        return _word(int(value))
    if (fixed := _FIXED.fullmatch(kind)) and isinstance(value, bytes) and len(value) == int(fixed[1]) <= 32:
        return value.ljust(32, b"\x00")
    if (number := _INTEGER.fullmatch(kind)) and type(value) is int:
        low, high = _range(number)
        if low <= value <= high:
            return _word(value % (1 << 256))
    raise AbiMismatch(f"{kind} does not take {type(value).__name__} {str(value)[:80]}")


def _encode_sequence(kinds: Sequence[str], values: Any, kind: str) -> bytes:
    if not isinstance(values, Sequence) or len(values) != len(kinds):
        raise AbiMismatch(f"{kind} takes {len(kinds)} values")
    offset = sum(32 if _dynamic(item) else _size(item) for item in kinds)
    head, tail = b"", b""
    for item, value in zip(kinds, values, strict=True):
        encoded = encode(item, value)
        if _dynamic(item):
            head += _word(offset + len(tail))
            tail += encoded
        else:
            head += encoded
    return head + tail


def decode(kinds: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """The outputs of a function, of static types and `string` or `bytes`.

    Raises
    ------
    AbiMismatch
        If the data is too short or a word is not of its type.
    """
    return tuple(_decode(kind, data, 32 * place) for place, kind in enumerate(kinds))


def _decode(kind: str, data: bytes, at: int) -> Any:
    word = data[at : at + 32]
    if len(word) != 32:
        raise AbiMismatch(f"An output of {len(data)} bytes is too short for {kind}")
    number = int.from_bytes(word, "big")
    if kind == "address" and number < 1 << 160:
        return Address.from_evm(word[12:])
    if kind == "bool" and number < 2:
        return bool(number)
    if kind in ("bytes", "string"):
        size = int.from_bytes(data[number : number + 32], "big")
        content = data[number + 32 : number + 32 + size]
        if number > len(data) or len(content) != size:
            raise AbiMismatch(f"An output of {len(data)} bytes is too short for {kind}")
        return content.decode("utf-8", "replace") if kind == "string" else content
    if (fixed := _FIXED.fullmatch(kind)) and not any(word[int(fixed[1]) :]):
        return word[: int(fixed[1])]
    if integer := _INTEGER.fullmatch(kind):
        low, high = _range(integer)
        value = number - (1 << 256) if low < 0 and number >> 255 else number
        if low <= value <= high:
            return value
    raise AbiMismatch(f"{word.hex()} is no {kind}")


def _members(kind: str) -> list[str]:
    """The types inside a tuple type, split at its own commas."""
    members, depth, start = [], 0, 1
    for place, character in enumerate(kind):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if (character == "," and depth == 1) or (depth == 0 and place > start):
            members.append(kind[start:place])
            start = place + 1
    return members


def _dynamic(kind: str) -> bool:
    if kind.startswith("(") and kind.endswith(")"):
        return any(_dynamic(member) for member in _members(kind))
    if array := _ARRAY.fullmatch(kind):
        return not array[2] or _dynamic(array[1])
    return kind in ("bytes", "string")


def _size(kind: str) -> int:
    """The bytes of a static type."""
    if kind.startswith("(") and kind.endswith(")"):
        return sum(_size(member) for member in _members(kind))
    if array := _ARRAY.fullmatch(kind):
        return int(array[2]) * _size(array[1])
    return 32


def _range(number: re.Match[str]) -> tuple[int, int]:
    bits = int(number[2])
    return (0, (1 << bits) - 1) if number[1] else (-(1 << bits - 1), (1 << bits - 1) - 1)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
