"""The clock of one session: monotonic, and never behind the newest block."""

from lucid_kit.clock import Clock


class SessionClock:
    """Milliseconds since 1970: the start, and what the monotonic clock counted since. Never goes back.

    The start is the wall clock's, held between `floor_ms` and `ceiling_ms`, which come from the newest block:
    on a machine whose clock is wrong a recording claims neither to be older than a block it names, nor to
    come from a time that the chain has not reached.
    """

    def __init__(self, clock: Clock, floor_ms: int, ceiling_ms: int | None = None) -> None:
        self._clock = clock
        start_ms = clock.now_ms() if ceiling_ms is None else min(clock.now_ms(), ceiling_ms)
        self.start_ms = max(start_ms, floor_ms)
        self._began_ms = clock.monotonic_ms()

    def reach(self, block_ms: int) -> None:
        """Step forward to a new block's time, if behind it: the chain's clock was set forward."""
        self.start_ms += max(0, block_ms - self.now_ms())

    def now_ms(self) -> int:
        return self.start_ms + self._clock.monotonic_ms() - self._began_ms
