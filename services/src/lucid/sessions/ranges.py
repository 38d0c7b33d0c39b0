"""Parts of a representation: Range, If-Range and If-None-Match (RFC 9110 §§ 13.1.2, 13.1.5, 14). Pure."""

import re
from dataclasses import dataclass

from lucid_kit.errors import ValidationFailed

_ONE = re.compile(r"bytes=(?:(\d{1,19})-(\d{1,19})?|-(\d{1,19}))", flags=re.ASCII)


class RangeOutside(ValidationFailed):
    """The range that was asked for lies outside of what there is."""

    code = "LUCID_ERR_1432"
    status = 416
    advice = "facts.size says how many bytes there are; ask without Range for all of them."


@dataclass(frozen=True, slots=True)
class Range:
    """The bytes from `start` up to `stop`; `partial` if they were asked for as a range."""

    start: int
    stop: int
    partial: bool


@dataclass(frozen=True, slots=True)
class NotModified:
    """The caller has it already."""


def wanted(
    size: int, etag: str, range_: str | None, if_range: str | None, if_none_match: str | None
) -> Range | NotModified:
    """What of `size` bytes under a strong `etag` (without quotes) the caller is to get.

    One range of bytes is understood; several, another unit, or one after a change give the whole, as the RFC
    allows.

    Raises
    ------
    RangeOutside
        If a range begins behind the end.
    """
    quoted = f'"{etag}"'
    if if_none_match is not None and _names(if_none_match, quoted):
        return NotModified()
    whole = Range(0, size, partial=False)
    match = _ONE.fullmatch(range_.strip()) if range_ else None
    if match is None or (if_range is not None and if_range.strip() != quoted):
        return whole
    first, last, suffix = match.groups()
    if suffix is not None:
        start, stop = max(0, size - int(suffix)), size
    else:
        start = int(first)
        stop = size if last is None else min(size, int(last) + 1)
        if last is not None and int(last) < start:
            return whole
    if start >= size or start >= stop:
        raise RangeOutside(f"The range {range_} lies outside of {size} bytes", size=size)
    return Range(start, stop, partial=True)


def _names(header: str, quoted: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or quoted in tags
