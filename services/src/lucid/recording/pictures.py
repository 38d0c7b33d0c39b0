"""Pictures on their way to another process, one after the other: size, time, pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from PIL import Image

_HEAD: Final = struct.Struct("<HHQ")
"""Before each picture: width, height, ms since the recording began. 0 x 0 is the end, at that time."""


def packed(picture: Image.Image, at_ms: int) -> bytes:
    """A picture (RGB) as `pictures` reads it."""
    return _HEAD.pack(picture.width, picture.height, at_ms) + picture.tobytes()


def ended(at_ms: int) -> bytes:
    """The end as `pictures` reads it."""
    return _HEAD.pack(0, 0, at_ms)


def pictures(source: BinaryIO) -> Iterator[tuple[Image.Image | None, int]]:
    """Pictures and their times; None is the end. Stops short when the source does."""
    while len(head := source.read(_HEAD.size)) == _HEAD.size:
        width, height, at_ms = _HEAD.unpack(head)
        if not width:
            yield None, at_ms
            return
        data = source.read(width * height * 3)
        if len(data) < width * height * 3:
            return
        yield Image.frombytes("RGB", (width, height), data), at_ms
