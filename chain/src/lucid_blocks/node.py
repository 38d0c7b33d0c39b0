"""One running chain: the ledger, the engine that drives it, and what looks at both."""

from __future__ import annotations

from dataclasses import dataclass

from lucid_blocks.engine import Engine
from lucid_blocks.genesis import Genesis
from lucid_blocks.intake import Intake
from lucid_blocks.ledger import Ledger
from lucid_blocks.view import View
from lucid_kit.clock import Clock
from lucid_kit.errors import Unavailable

_LATE_BLOCKS = 3


@dataclass(frozen=True)
class Node:
    """What the routes work with."""

    genesis: Genesis
    ledger: Ledger
    engine: Engine
    intake: Intake
    view: View
    clock: Clock

    def delay_ms(self) -> int:
        """How much later than due the next block is; 0 while it is not."""
        return max(0, -self.engine.next_block_in_ms())

    async def check_engine(self) -> None:
        """Raise `Unavailable` if blocks have stopped."""
        late = self.delay_ms()
        if late > _LATE_BLOCKS * self.genesis.params.block_ms:
            raise Unavailable(f"The next block is {late} ms late.", late_ms=late)
