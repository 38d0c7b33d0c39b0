"""Structured data as TIP 712 hashes it: EIP 712 with TRON's addresses (as 20 bytes) and `trcToken`.

https://github.com/tronprotocol/tips/blob/master/tip-712.md. Unlike most implementations this one refuses
values that do not fit their type, missing fields and fields the type has not: what a person is shown is
exactly what is hashed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import MalformedAddress
from lucid_tron.keys.errors import InvalidTypedData
from lucid_tron.keys.signing import PrivateKey, keccak256, recover

Types = Mapping[str, Sequence[tuple[str, str]]]
"""Struct name → its fields in order, each (name, type)."""

_DOMAIN_FIELDS = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
)
_ARRAY = re.compile(r"^(.+)\[(\d*)\]$")
_INTEGER = re.compile(r"^(u?)int(\d+)$")
_FIXED_BYTES = re.compile(r"^bytes(\d+)$")


@dataclass(frozen=True, slots=True)
class TypedData:
    """What is signed: a message of type `primary` under a domain.

    Values: integers as int, bytes as bytes, addresses as `Address` or text, structs as mappings.
    """

    domain: Mapping[str, Any]
    types: Types
    primary: str
    message: Mapping[str, Any]

    def digest(self) -> bytes:
        """Keccak-256 of 0x1901 ‖ domain separator ‖ hash of the message, 32 bytes.

        Raises
        ------
        InvalidTypedData
            If a type is unknown or recursive, or a value does not fit its type.
        """
        fields = [(name, kind) for name, kind in _DOMAIN_FIELDS if name in self.domain]
        separator = hash_struct({"EIP712Domain": fields}, "EIP712Domain", self.domain)
        return keccak256(b"\x19\x01" + separator + hash_struct(self.types, self.primary, self.message))

    def sign(self, key: PrivateKey) -> bytes:
        """Sign, 65 bytes."""
        return key.sign_digest(self.digest())

    def signer(self, signature: bytes) -> Address:
        """Who signed this.

        Raises
        ------
        InvalidSignature, HighS
            If the signature is not acceptable.
        """
        return recover(self.digest(), signature)


def encode_type(types: Types, name: str) -> str:
    """The type as text: the struct itself, then those it refers to in alphabetical order."""
    referred: set[str] = set()

    def visit(struct: str, above: tuple[str, ...]) -> None:
        if struct in above:
            raise InvalidTypedData(f"The type {struct!r} contains itself")
        for _, kind in types[struct]:
            base = kind.partition("[")[0]
            if base in types:
                visit(base, (*above, struct))
                referred.add(base)

    if name not in types:
        raise InvalidTypedData(f"{name!r} is not among the types")
    visit(name, ())
    return "".join(
        f"{struct}({','.join(f'{kind} {field}' for field, kind in types[struct])})"
        for struct in (name, *sorted(referred))
    )


def hash_struct(types: Types, name: str, value: Any) -> bytes:
    """The hash of one struct, 32 bytes.

    Raises
    ------
    InvalidTypedData
        If a type is unknown or recursive, or a value does not fit its type.
    """
    head = keccak256(encode_type(types, name).encode())
    fields = dict(types[name])
    if len(fields) != len(types[name]):
        raise InvalidTypedData(f"The type {name!r} has two fields of one name")
    if not isinstance(value, Mapping) or value.keys() != fields.keys():
        raise InvalidTypedData(f"A {name} has exactly the fields {', '.join(fields)}")
    return keccak256(
        head
        + b"".join(_encode(types, kind, value[field], f"{name}.{field}") for field, kind in fields.items())
    )


def _encode(types: Types, kind: str, value: Any, where: str) -> bytes:
    """One field as 32 bytes."""
    if array := _ARRAY.match(kind):
        inner, length = array.groups()
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise InvalidTypedData(f"{where} is a list")
        if length and len(value) != int(length):
            raise InvalidTypedData(f"{where} has {length} items, not {len(value)}")
        return keccak256(b"".join(_encode(types, inner, item, where) for item in value))
    if kind in types:
        return hash_struct(types, kind, value)
    if kind == "string" and isinstance(value, str):
        return keccak256(value.encode())
    if kind == "bytes" and isinstance(value, bytes):
        return keccak256(value)
    if kind == "bool" and isinstance(value, bool):
        return int(value).to_bytes(32, "big")
    if kind == "address":
        return bytes(12) + _address(value, where).evm
    if fixed := _FIXED_BYTES.match(kind):
        if 1 <= int(fixed[1]) <= 32 and isinstance(value, bytes) and len(value) == int(fixed[1]):
            return value.ljust(32, b"\x00")
    elif integer := _INTEGER.match("uint256" if kind == "trcToken" else kind):
        signed, bits = not integer[1], int(integer[2])
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        if bits % 8 == 0 and 8 <= bits <= 256 and type(value) is int and low <= value <= high:
            return (value % (1 << 256)).to_bytes(32, "big")
    raise InvalidTypedData(f"{where} is not a valid {kind}")


def _address(value: Any, where: str) -> Address:
    if isinstance(value, Address):
        return value
    try:
        return Address.parse(value)
    except (MalformedAddress, TypeError) as error:
        raise InvalidTypedData(f"{where} is not an address") from error
