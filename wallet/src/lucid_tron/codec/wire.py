"""The canonical subset of protobuf's wire format, driven by the types of frozen dataclasses.

https://protobuf.dev/programming-guides/encoding/ lets one message be written in many ways. TRON hashes
the bytes, so here there is one way only: fields in ascending order, each scalar once, defaults left out,
varints as short as possible, nothing unknown, nothing after the end. Whatever differs is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import (
    DefaultWritten,
    FieldOrder,
    InvalidText,
    MissingField,
    NonMinimalVarint,
    Truncated,
    UnknownField,
    ValueOutOfRange,
    VarintOverflow,
    WrongWireType,
)

VARINT, LENGTH_DELIMITED = 0, 2
_WIRE_NAMES = {0: "varint", 1: "64-bit", 2: "length-delimited", 3: "group", 4: "group end", 5: "32-bit"}


@dataclass(frozen=True, slots=True)
class Kind:
    """How one type of value is written, read and checked.

    `check` raises ValueOutOfRange for a value that has no encoding; `write` may then assume a good one.
    """

    name: str
    wire: int
    default: Any
    write: Callable[[Any], bytes]
    read: Callable[[Any], Any]  # from an unsigned int (varint) or bytes (length-delimited)
    required: bool = False
    enum: type[IntEnum] | None = None
    message: type[Message] | None = None


_SMALL = tuple(bytes((value,)) for value in range(0x80))


def varint(value: int) -> bytes:
    """An unsigned integer below 2^64 as a minimal varint."""
    if value < 0x80:
        return _SMALL[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _write_signed(bits: int) -> Callable[[Any], bytes]:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def write(value: Any) -> bytes:
        if type(value) is not int or not low <= value <= high:
            raise ValueOutOfRange(f"{value!r} is not an integer of {bits} bits")
        return varint(value if value >= 0 else value + (1 << 64))

    return write


def _read_signed(bits: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        signed: int = value - (1 << 64) if value >> 63 else value
        if not -(1 << (bits - 1)) <= signed < 1 << (bits - 1):
            raise VarintOverflow(f"{signed} does not fit {bits} bits")
        return signed

    return read


def _write_bool(value: Any) -> bytes:
    if type(value) is not bool:
        raise ValueOutOfRange(f"{value!r} is neither true nor false")
    return b"\x01" if value else b"\x00"


def _read_bool(value: Any) -> bool:
    if value > 1:
        raise VarintOverflow(f"{value} is neither true nor false")
    return bool(value)


def _with_length(raw: bytes) -> bytes:
    return varint(len(raw)) + raw


def _write_bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueOutOfRange(f"{type(value).__name__} is not bytes")
    return _with_length(value)


def _write_address(value: Any) -> bytes:
    if not isinstance(value, Address):
        raise ValueOutOfRange(f"{value!r} is not an address")
    return b"\x15" + value


def _write_text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueOutOfRange(f"{type(value).__name__} is not text")
    try:
        return _with_length(value.encode())
    except UnicodeEncodeError:
        raise ValueOutOfRange(f"{value[:64]!r} has no UTF-8 encoding") from None


def _read_text(raw: Any) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError:
        raise InvalidText(f"{raw[:64].hex()} is not UTF-8") from None


INT64 = Kind("int64", VARINT, 0, _write_signed(64), _read_signed(64))
INT32 = Kind("int32", VARINT, 0, _write_signed(32), _read_signed(32))
BOOL = Kind("bool", VARINT, False, _write_bool, _read_bool)
BYTES = Kind("bytes", LENGTH_DELIMITED, b"", _write_bytes, bytes)
TEXT = Kind("string", LENGTH_DELIMITED, "", _write_text, _read_text)
ADDRESS = Kind("address", LENGTH_DELIMITED, None, _write_address, Address, required=True)
MAYBE_ADDRESS = Kind("address", LENGTH_DELIMITED, None, _write_address, Address)


def enumeration(kind: type[IntEnum]) -> Kind:
    """A protobuf enum, whose first value is 0 and the default."""
    write_number, read_number = _write_signed(32), _read_signed(32)

    def write(value: Any) -> bytes:
        if not isinstance(value, kind):
            raise ValueOutOfRange(f"{value!r} is no {kind.__name__}")
        return write_number(int(value))

    def read(value: Any) -> IntEnum:
        number = read_number(value)
        try:
            return kind(number)
        except ValueError:
            raise ValueOutOfRange(f"{number} is no {kind.__name__}") from None

    return Kind(kind.__name__, VARINT, kind(0), write, read, enum=kind)


def nested(kind: type[Message], *, required: bool = False) -> Kind:
    """A message inside a message; None when it is absent."""

    def write(value: Any) -> bytes:
        if type(value) is not kind:
            raise ValueOutOfRange(f"{value!r} is no {kind.__name__}")
        return _with_length(encode(value))

    def read(raw: Any) -> Message:
        return decode(kind, raw)

    return Kind(kind.__name__, LENGTH_DELIMITED, None, write, read, required=required, message=kind)


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field of a message: its number, its tag as bytes, and how its values are written."""

    number: int
    name: str
    tag: bytes
    kind: Kind
    repeated: bool


class Message:
    """Base of every frozen dataclass whose fields were made with `tagged` or `repeated`."""

    __slots__ = ()
    plans: ClassVar[tuple[FieldPlan, ...]]
    steps: ClassVar[tuple[tuple[str, bytes, Callable[[Any], bytes], Any, bool, bool], ...]]


def tagged(number: int, kind: Kind, *, default: Any = ...) -> Any:
    """A field with this number. Without a default of its own it takes the protobuf default of its kind."""
    metadata = {"number": number, "kind": kind, "repeated": False}
    if kind.required:
        return field(metadata=metadata)
    return field(default=kind.default if default is ... else default, metadata=metadata)


def repeated(number: int, kind: Kind) -> Any:
    """A field that occurs any number of times, as a tuple."""
    return field(default=(), metadata={"number": number, "kind": kind, "repeated": True})


M = TypeVar("M", bound=Message)


def message(cls: type[M]) -> type[M]:
    """Class decorator: derive the plan of the wire format from a dataclass's fields."""
    plans = [
        FieldPlan(
            number := f.metadata["number"],
            f.name,
            varint(number << 3 | f.metadata["kind"].wire),
            f.metadata["kind"],
            f.metadata["repeated"],
        )
        for f in fields(cls)  # type: ignore[arg-type]
    ]
    cls.plans = tuple(sorted(plans, key=lambda plan: plan.number))
    # What `encode` needs of each plan, unpacked once: it runs for every signature.
    cls.steps = tuple(
        (plan.name, plan.tag, plan.kind.write, plan.kind.default, plan.kind.required, plan.repeated)
        for plan in cls.plans
    )
    return cls


def encode(value: Message) -> bytes:
    """The canonical bytes of a message.

    Raises
    ------
    ValueOutOfRange
        If a value does not fit its field.
    """
    parts: list[bytes] = []
    for name, tag, write, default, required, is_repeated in value.steps:
        content = getattr(value, name)
        if is_repeated:
            if type(content) is not tuple:
                raise ValueOutOfRange(f"{name} is a tuple, not {type(content).__name__}")
            for item in content:
                parts += tag, write(item)
        # Identity first: most fields hold the very default they were made with.
        elif content is not default or required:
            # Written before it is compared with the default: 0.0 and False must not pass for 0.
            written = write(content)
            if content != default:
                parts += tag, written
    return b"".join(parts)


def decode(cls: type[M], raw: bytes) -> M:
    """Read a message that was written canonically.

    Raises
    ------
    CodecError
        Of the class that names the rule that was broken.
    """
    plans = {plan.number: plan for plan in cls.plans}
    found: dict[str, Any] = {}
    position, previous = 0, 0
    while position < len(raw):
        tag, position = read_varint(raw, position)
        number, wire = tag >> 3, tag & 7
        plan = plans.get(number)
        if plan is None:
            raise UnknownField(f"{cls.__name__} has no field {number}")
        where = f"{cls.__name__}.{plan.name}"
        if wire != plan.kind.wire:
            raise WrongWireType(f"{where} is written as {_WIRE_NAMES.get(wire, wire)}")
        if number < previous or (number == previous and not plan.repeated):
            raise FieldOrder(f"{where} is out of order or written twice")
        previous = number
        item: Any
        item, position = read_varint(raw, position)
        if wire == LENGTH_DELIMITED:
            end = position + item
            if end > len(raw):
                raise Truncated(f"{where} ends {end - len(raw)} bytes after the input does")
            item, position = raw[position:end], end
        content = plan.kind.read(item)
        if plan.repeated:
            found[plan.name] = (*found.get(plan.name, ()), content)
        elif content == plan.kind.default:
            raise DefaultWritten(f"{where} is written though it has its default value")
        else:
            found[plan.name] = content
    for plan in cls.plans:
        if plan.kind.required and not plan.repeated and plan.name not in found:
            raise MissingField(f"{cls.__name__}.{plan.name} is missing")
    return cls(**found)


def read_varint(raw: bytes, position: int) -> tuple[int, int]:
    """An unsigned varint at `position`, and the position after it."""
    value = shift = 0
    while True:
        if position >= len(raw):
            raise Truncated("The input ends inside a number")
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise VarintOverflow("A number has more than ten bytes")
    if value >> 64:
        raise VarintOverflow("A number has more than 64 bits")
    if byte == 0 and shift:
        raise NonMinimalVarint("A number ends in a needless zero byte")
    return value, position
