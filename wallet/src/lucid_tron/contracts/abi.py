"""Solidity's ABI: values to bytes and back (https://docs.soliditylang.org/en/v0.8.30/abi-spec.html).

Types: uintN, intN, address, bool, bytesN, bytes, string, arrays of them, and tuples written as ``(a,b)``.
An address is `Address` (21 bytes) going in and coming out; 20 bytes are taken too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from Crypto.Hash import keccak

from lucid_tron.codec.address import Address

_ARRAY = re.compile(r"^(.*)\[(\d*)\]$", re.DOTALL)
WORD = 32


class AbiError(ValueError):
    """A value does not fit its type, or bytes are no encoding of it."""


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def selector(signature: str) -> bytes:
    """First four bytes of the hash of ``name(type,…)``."""
    return keccak256(signature.encode())[:4]


def call(signature: str, *values: Any) -> bytes:
    """Call data of ``name(type,…)`` with these values."""
    return selector(signature) + encode(split(signature[signature.index("(") :]), values)


def split(tuple_type: str) -> list[str]:
    """Return the members of ``(a,(b,c)[],d)``."""
    inner, depth, members, current = tuple_type[1:-1], 0, [], ""
    for character in inner:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            members.append(current)
            current = ""
        else:
            current += character
    return [*members, current] if current else members


def type_of(parameter: dict[str, Any]) -> str:
    """The type of a parameter in a JSON ABI, with tuples written out."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    members = ",".join(type_of(each) for each in parameter.get("components", []))
    return f"({members}){kind.removeprefix('tuple')}"


def is_dynamic(kind: str) -> bool:
    if array := _ARRAY.match(kind):
        return not array[2] or is_dynamic(array[1])
    if kind.startswith("("):
        return any(is_dynamic(each) for each in split(kind))
    return kind in ("bytes", "string")


def _head_size(kind: str) -> int:
    if is_dynamic(kind):
        return WORD
    if array := _ARRAY.match(kind):
        return int(array[2]) * _head_size(array[1])
    if kind.startswith("("):
        return sum(_head_size(each) for each in split(kind))
    return WORD


def encode(kinds: Sequence[str], values: Sequence[Any]) -> bytes:
    """Encode values as a function's arguments.

    Raises
    ------
    AbiError
        If a value does not fit its type or their numbers differ.
    """
    if len(kinds) != len(values):
        raise AbiError(f"{len(values)} values for {len(kinds)} types")
    offset = sum(_head_size(kind) for kind in kinds)
    heads, tails = b"", b""
    for kind, value in zip(kinds, values, strict=True):
        part = _encode_one(kind, value)
        if is_dynamic(kind):
            heads += (offset + len(tails)).to_bytes(WORD, "big")
            tails += part
        else:
            heads += part
    return heads + tails


def _encode_one(kind: str, value: Any) -> bytes:
    if array := _ARRAY.match(kind):
        if array[2] and len(value) != int(array[2]):
            raise AbiError(f"{len(value)} values for {kind}")
        items = encode([array[1]] * len(value), value)
        return items if array[2] else len(value).to_bytes(WORD, "big") + items
    if kind.startswith("("):
        return encode(split(kind), value)
    if kind in ("bytes", "string"):
        raw = value.encode() if isinstance(value, str) else bytes(value)
        return len(raw).to_bytes(WORD, "big") + raw + bytes(-len(raw) % WORD)
    if kind == "address":
        return bytes(value)[-20:].rjust(WORD, b"\x00")
    if kind.startswith("bytes"):
        raw = bytes(value)
        if len(raw) != int(kind[5:]):
            raise AbiError(f"{len(raw)} bytes for {kind}")
        return raw.ljust(WORD, b"\x00")
    try:
        return int(value).to_bytes(WORD, "big", signed=kind.startswith("int"))
    except OverflowError:
        raise AbiError(f"{value} does not fit {kind}") from None


def decode(kinds: Sequence[str], data: bytes) -> list[Any]:
    """Decode what `encode` gives; lists for arrays and tuples.

    Raises
    ------
    AbiError
        If the bytes end too early.
    """
    values, at = [], 0
    for kind in kinds:
        if is_dynamic(kind):
            values.append(_decode_one(kind, data, _word(data, at)))
        else:
            values.append(_decode_one(kind, data, at))
        at += _head_size(kind)
    return values


def _word(data: bytes, at: int) -> int:
    if at + WORD > len(data):
        raise AbiError(f"the data end before byte {at + WORD}")
    return int.from_bytes(data[at : at + WORD], "big")


def _decode_one(kind: str, data: bytes, at: int) -> Any:
    if array := _ARRAY.match(kind):
        count, start = (int(array[2]), at) if array[2] else (_word(data, at), at + WORD)
        if count * WORD > len(data):
            raise AbiError(f"{count} values cannot be in {len(data)} bytes")
        return decode([array[1]] * count, data[start:])
    if kind.startswith("("):
        return decode(split(kind), data[at:])
    word = _word(data, at)
    if kind in ("bytes", "string"):
        raw = data[at + WORD : at + WORD + word]
        if len(raw) != word:
            raise AbiError(f"{word} bytes are announced and {len(raw)} are there")
        return raw.decode(errors="replace") if kind == "string" else raw
    if kind == "address":
        return Address.from_evm(data[at + 12 : at + WORD])
    if kind == "bool":
        return bool(word)
    if kind.startswith("bytes"):
        return data[at : at + int(kind[5:])]
    return word - (1 << 256) if kind.startswith("int") and word >> 255 else word
