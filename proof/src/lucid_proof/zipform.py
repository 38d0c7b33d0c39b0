"""The one form of a bundle's ZIP64 container: its members determine every byte (docs/specs/bundle.md).

A reader takes from a header only what varies — name, size, CRC-32 — writes the header that these make, and
compares: there is no second spelling to consider. Layout after PKWARE's APPNOTE 6.3.10 § 4.3.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from lucid_proof.errors import UnusableBundle

MAX_NAME: Final = 64
LOCAL_FIXED: Final = 30
LOCAL_EXTRA: Final = 20
TAIL_SIZE: Final = 56 + 20 + 22

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_LOCATOR: Final = struct.Struct("<4sIQI")
_END: Final = struct.Struct("<4s4H2IH")

_VERSION: Final = 45  # ZIP64
_MADE_BY: Final = 0x032D  # Unix, 4.5
_UTF8: Final = 0x0800
_STORED: Final = 0
_DATE: Final = 0x0021  # 1980-01-01, the first that ZIP can say
_MODE: Final = 0o100644 << 16
_IN_EXTRA_32: Final = 0xFFFFFFFF
_IN_EXTRA_16: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the container: where its content lies, and what the header says of it.

    Attributes
    ----------
    at, start, end : int
        Offsets in bytes: of its local header, of its first byte, and behind its last.
    """

    name: str
    size: int
    crc: int
    at: int

    @property
    def start(self) -> int:
        return self.at + LOCAL_FIXED + len(self.name) + LOCAL_EXTRA

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Tail:
    """What the end of the container says: how many members, and where the central directory lies."""

    members: int
    directory_size: int
    directory_at: int

    def bytes(self) -> bytes:
        end64 = _END64.pack(
            b"PK\x06\x06",
            44,
            _MADE_BY,
            _VERSION,
            0,
            0,
            self.members,
            self.members,
            self.directory_size,
            self.directory_at,
        )
        locator = _LOCATOR.pack(b"PK\x06\x07", 0, self.directory_at + self.directory_size, 1)
        end = _END.pack(b"PK\x05\x06", 0, 0, _IN_EXTRA_16, _IN_EXTRA_16, _IN_EXTRA_32, _IN_EXTRA_32, 0)
        return end64 + locator + end


def local_header(member: Member) -> bytes:
    """What stands before a member's content."""
    name = member.name.encode()
    fixed = _LOCAL.pack(
        b"PK\x03\x04",
        _VERSION,
        _UTF8,
        _STORED,
        0,
        _DATE,
        member.crc,
        _IN_EXTRA_32,
        _IN_EXTRA_32,
        len(name),
        LOCAL_EXTRA,
    )
    return fixed + name + struct.pack("<2H2Q", 1, 16, member.size, member.size)


def central_header(member: Member) -> bytes:
    """A member's entry in the central directory."""
    name = member.name.encode()
    fixed = _CENTRAL.pack(
        b"PK\x01\x02",
        _MADE_BY,
        _VERSION,
        _UTF8,
        _STORED,
        0,
        _DATE,
        member.crc,
        _IN_EXTRA_32,
        _IN_EXTRA_32,
        len(name),
        28,
        0,
        0,
        0,
        _MODE,
        _IN_EXTRA_32,
    )
    return fixed + name + struct.pack("<2H3Q", 1, 24, member.size, member.size, member.at)


def read_local(data: bytes, at: int) -> Member:
    """The member whose local header begins `data`, which was read at offset `at` of the file.

    Raises
    ------
    UnusableBundle
        If that is not the header, in canonical form, of an ASCII name of at most 64 characters.
    """
    where = f"byte {at}"
    if len(data) < LOCAL_FIXED + LOCAL_EXTRA + 1 or data[:4] != b"PK\x03\x04":
        raise UnusableBundle("a member should begin here, and does not", where)
    name_size = int.from_bytes(data[26:28], "little")
    extra = LOCAL_FIXED + name_size
    raw = data[LOCAL_FIXED:extra]
    if not 1 <= name_size <= MAX_NAME or len(data) < extra + LOCAL_EXTRA or not raw.isascii():
        raise UnusableBundle("a member's name that no bundle has", where)
    member = Member(
        name=raw.decode(),
        size=int.from_bytes(data[extra + 4 : extra + 12], "little"),
        crc=int.from_bytes(data[14:18], "little"),
        at=at,
    )
    if local_header(member) != data[: extra + LOCAL_EXTRA]:
        raise UnusableBundle("the member's header is not in canonical form", f"{where} ({member.name!r})")
    return member


def read_tail(data: bytes, file_size: int) -> Tail:
    """What the last `TAIL_SIZE` bytes of a file of `file_size` bytes say.

    Raises
    ------
    UnusableBundle
        If they are not the end of a bundle in canonical form.
    """
    if len(data) != TAIL_SIZE or data[-22:-18] != b"PK\x05\x06":
        raise UnusableBundle(
            "not a bundle, or its end is missing (a bundle is a ZIP64 file)", f"byte {file_size}"
        )
    fields = _END64.unpack(data[: _END64.size])
    tail = Tail(members=fields[6], directory_size=fields[8], directory_at=fields[9])
    if tail.directory_at + tail.directory_size + TAIL_SIZE != file_size or tail.bytes() != data:
        raise UnusableBundle(
            "the end of the ZIP64 file is not in canonical form", f"byte {file_size - TAIL_SIZE}"
        )
    return tail


def crc32(data: bytes) -> int:
    """The CRC-32 of a member's content (APPNOTE § 4.4.7)."""
    return zlib.crc32(data)
