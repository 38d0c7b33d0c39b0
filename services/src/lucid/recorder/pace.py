"""When the next picture may be taken.

Recording is lossless always. What gives way under a flood is the number of pictures: full-screen video at
1280x800 is 41 MB of new pixels a second, which no one wants to store, upload and compress. Three bounds hold
together: `fps`; at most half of the time goes into pictures (as much rest as work); and at most
`BYTES_PER_SECOND` of ciphertext over any ten seconds or so, which a session's upload can carry.
"""

from __future__ import annotations

from typing import Final

BYTES_PER_SECOND: Final = 2 * 1024 * 1024
BURST: Final = 8 * BYTES_PER_SECOND
"""Bytes that may be stored at once after a quiet time: a full screen changing a few times."""
SETTLE: Final = 15
"""Milliseconds between the first damage after a quiet time and the picture: drawing comes in bursts."""
LONGEST: Final = 2_000
"""Milliseconds that two pictures are apart under the worst flood."""


class Pace:
    """Decides on the time of the next picture; all times in ms of one monotonic clock."""

    def __init__(self, fps: int) -> None:
        self._interval = 1000 // fps
        self._next = 0
        self._credit = float(BURST)
        self._counted = 0

    def due(self, damaged_at: int) -> int:
        """When to take the picture of something that was drawn at `damaged_at`."""
        return max(self._next, damaged_at + SETTLE)

    def taken(self, began: int, ended: int, stored: int) -> None:
        """A picture took from `began` to `ended` and gave `stored` bytes."""
        earned = (ended - self._counted) / 1000 * BYTES_PER_SECOND if self._counted else 0.0
        self._credit = min(float(BURST), self._credit + earned) - stored
        self._counted = ended
        debt = max(0.0, -self._credit) * 1000 / BYTES_PER_SECOND
        rest = max(self._interval, 2 * (ended - began), int(debt))
        self._next = began + min(LONGEST, rest)
