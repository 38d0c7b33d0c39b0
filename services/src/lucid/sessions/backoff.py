"""How long to wait before trying again: doubling, with jitter, up to a limit."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds. With full jitter between half and all of the step, so that retries don't march in
    step.
    """

    first_s: float
    last_s: float

    def wait_s(self, attempts: int) -> float:
        """How long to wait after `attempts` failures, 1 or more."""
        step = min(self.last_s, self.first_s * float(1 << min(attempts - 1, 32)))
        return step * random.uniform(0.5, 1.0)
