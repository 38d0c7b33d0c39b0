"""The port between what the chain *is* (an application) and who decides the next block (an engine).

Shaped after ABCI 2.0, so that a network of validators can take the solo engine's place: an engine asks for a
proposal, has it judged, finalises it, and has it committed. It decides the order and the time; it never
looks into a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lucid_blocks.models import Block, Entry
from lucid_blocks.state import State
from lucid_proof.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Finalized:
    """A block that was decided and is not stored yet."""

    block: Block
    before: State
    after: State

    @property
    def checkpoint(self) -> Checkpoint:
        """What the validators sign for this block: the log up to and with its header."""
        return Checkpoint(self.after.chain, self.after.log.size, self.after.log.root())


class Application(Protocol):
    """What an engine drives. One call at a time."""

    @property
    def state(self) -> State:
        """After the newest committed block."""
        ...

    def prepare_proposal(self) -> list[Entry]:
        """The waiting transactions that fit into the next block, in order."""
        ...

    def process_proposal(self, block: Block) -> None:
        """Judge a block that someone proposes to follow `state`.

        Raises
        ------
        Refused
            The subclass names the rule it breaks.
        """
        ...

    def finalize_block(self, entries: Sequence[Entry], time_ms: int) -> Finalized:
        """The block of these transactions at this time. Changes nothing.

        Raises
        ------
        Refused
            If they make no valid block.
        """
        ...

    def commit(self, finalized: Finalized, checkpoint: bytes) -> None:
        """Make a finalised block durable and let it be seen, with its signed checkpoint.

        Raises
        ------
        NotDurable
            If the disk refuses. If the block is stored already, `catch_up` must succeed before the next.
        """
        ...

    def catch_up(self) -> None:
        """Finish what an earlier `commit` could not; nothing to do otherwise.

        Raises
        ------
        NotDurable
            If the disk still refuses.
        """
        ...


@dataclass(frozen=True, slots=True)
class Participant:
    """Who decides blocks."""

    name: str
    key: str  # hex
    cosigner: str  # vkey
    power: int


class Engine(Protocol):
    """Who decides the next block, and when."""

    name: str

    async def run(self) -> None:
        """Decide blocks until cancelled. A block that has begun is finished first."""
        ...

    def watch(self, late: Callable[[float], object], took: Callable[[float], object]) -> None:
        """Tell these how late (s) each block was begun, and how long (s) it took."""
        ...

    def participants(self) -> tuple[Participant, ...]:
        """Everyone whose signature counts."""
        ...

    def next_block_in_ms(self) -> int:
        """Milliseconds until the next block is due; negative when it is late."""
        ...
