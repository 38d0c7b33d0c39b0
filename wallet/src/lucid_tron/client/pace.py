"""How fast to ask, and how long to wait before asking again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from lucid_kit.clock import Clock


class TokenBucket:
    """Lets `rate` requests a second through, and `burst` at once after a pause. Callers queue in order."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._interval_ms = 1000 / rate
        self._depth_ms = self._interval_ms * burst
        self._clock = clock
        # The moment at which the bucket would be full: one number instead of a count and a time.
        self._full_at_ms: float = clock.monotonic_ms()

    async def take(self) -> None:
        """Wait for a token."""
        now = self._clock.monotonic_ms()
        self._full_at_ms = max(self._full_at_ms, now) + self._interval_ms
        wait_ms = self._full_at_ms - self._depth_ms - now
        if wait_ms > 0:
            await self._clock.sleep(wait_ms / 1000)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: a random wait below a bound that doubles up to `cap_s`.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/: many clients that failed
    together must not come back together.
    """

    first_s: float = 0.25
    cap_s: float = 30.0

    def bound(self, failures: int) -> float:
        """The longest wait after so many failures in a row, in seconds."""
        return min(self.cap_s, self.first_s * 2.0 ** max(0, min(failures, 60) - 1))

    def wait(self, failures: int, chance: random.Random) -> float:
        """A wait after so many failures in a row, in seconds."""
        return chance.uniform(0, self.bound(failures))
