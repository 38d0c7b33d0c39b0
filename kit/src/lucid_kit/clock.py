"""Time: integer milliseconds since 1970 in UTC, from one injected clock; RFC 3339 text at the edges."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from lucid_kit import fault
from lucid_kit.errors import ValidationFailed

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", flags=re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where time comes from. Nothing else in Lucid asks the operating system."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00Z; may jump when the machine's clock is set."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since some fixed moment; never runs backwards. For durations and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less only yields."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + fault.clock_offset_ms()

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that moves only when told to: `advance` wakes the sleepers whose time has come, in order."""

    def __init__(self, now_ms: int = 1_767_225_600_000) -> None:
        self._now_ms = now_ms
        self._monotonic_ms = 0
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_ms(self) -> int:
        return self._monotonic_ms

    @property
    def sleepers(self) -> int:
        """How many tasks are waiting for `advance`."""
        return sum(1 for _, future in self._sleepers if not future.done())

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._monotonic_ms + round(seconds * 1000), future))
        await future

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass, never a negative number: `set_now_ms` jumps the wall clock."""
        if ms < 0:
            raise ValueError("time does not run backwards; set_now_ms moves the wall clock alone")
        self._monotonic_ms += ms
        self._now_ms += ms
        due = sorted((s for s in self._sleepers if s[0] <= self._monotonic_ms), key=lambda s: s[0])
        self._sleepers = [s for s in self._sleepers if s[0] > self._monotonic_ms]
        for _, future in due:
            if not future.done():
                future.set_result(None)

    def set_now_ms(self, now_ms: int) -> None:
        """Set the wall clock, as an operator or NTP would; the monotonic clock does not move."""
        self._now_ms = now_ms


def rfc3339(ms: int) -> str:
    """Milliseconds since 1970 as `2026-11-22T10:30:28.123Z`."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return f"{moment:%H:%M:%S}".join([f"{moment.year:04d}-{moment:%m-%d}T", f".{ms % 1000:03d}Z"])


def parse_rfc3339(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time, in any offset; what is finer is cut off.

    Raises
    ------
    ValidationFailed
        If the text is not an RFC 3339 date-time. Leap seconds (`:60`) are refused: they have no millisecond.
    """
    match = _RFC3339.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        day, hour, fraction, offset = match.groups()
        offset = "+00:00" if offset in "Zz" else offset
        moment = datetime.fromisoformat(f"{day}T{hour}{offset}")
        whole = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError) as error:
        raise ValidationFailed(
            f"{text!r} is not an RFC 3339 time such as 2026-11-22T10:30:28.123Z"
        ) from error
    return whole * 1000 + int((fraction or ".0")[1:4].ljust(3, "0"))
