"""When a block is due, and what time it bears.

Two clocks, and each is asked only for what it is good at. The *monotonic* clock gives the cadence: a block
every `block_ms`, whatever an operator or NTP does to the date. The *wall* clock gives the phase and the time:
while it behaves, blocks fall on whole multiples of `block_ms`.

| the wall clock | cadence | block time |
|---|---|---|
| behaves | every `block_ms`, on the slot | the wall clock's |
| jumps forward | unbroken; the phase walks to the new slots by ≤ `SLEW_MS` a block | taken over at once |
| jumps back | the same | goes on at 99 % of the monotonic pace, until the wall has caught up |
| stands before the last block at start-up | the same | the same |

Why 99 %: a session that runs across the jump keeps its own monotonic clock. Frozen block times would part
from it by a minute in a minute; at 99 % they stay within a minute of it for more than an hour and a half,
and an hour's jump is made up for in time. Block times grow strictly in any case.
"""

from __future__ import annotations

from typing import Final

from lucid_kit.clock import Clock

SLEW_MS: Final = 100
_PACE: Final = (99, 100)


class SlotClock:
    """The times of one engine's blocks. Not for use by two tasks at once.

    Parameters
    ----------
    clock : Clock
        Wall and monotonic time.
    block_ms : int
        From one block to the next.
    last_ms : int
        The newest block's time, ms since 1970.
    """

    def __init__(self, clock: Clock, block_ms: int, last_ms: int) -> None:
        self._clock = clock
        self._block_ms = block_ms
        self._last_ms = last_ms
        self._last_at = clock.monotonic_ms()
        now = clock.now_ms()
        self._due = self._last_at + block_ms - now % block_ms

    @property
    def due_in_ms(self) -> int:
        """Milliseconds until the next block is due; negative when it is late."""
        return self._due - self._clock.monotonic_ms()

    async def wait(self) -> None:
        """Return when the next block is due."""
        while (left := self.due_in_ms) > 0:
            await self._clock.sleep(left / 1000)

    def stamp(self) -> int:
        """The time that a block made now bears: ms since 1970, later than that of every block before."""
        now, at = self._clock.now_ms(), self._clock.monotonic_ms()
        paced = self._last_ms + (at - self._last_at) * _PACE[0] // _PACE[1]
        return max(now, paced, self._last_ms + 1)

    def made(self, time_ms: int) -> None:
        """A block with this time stands: set the next one's moment, skipping those that passed meanwhile."""
        at = self._clock.monotonic_ms()
        self._last_ms, self._last_at = time_ms, at
        self._due += self._block_ms
        if self._due <= at:
            self._due += ((at - self._due) // self._block_ms + 1) * self._block_ms
        self._due += self._phase()

    def _phase(self) -> int:
        """How far to move the next block towards the wall clock's slot, at most `SLEW_MS` either way."""
        wall_then = self._clock.now_ms() + self.due_in_ms
        late = wall_then % self._block_ms
        if late > self._block_ms // 2:
            late -= self._block_ms
        return -max(-SLEW_MS, min(SLEW_MS, late))
