"""The solo engine: one validator, one process, a block on every slot whether or not there are
transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from lucid_blocks.clock import SlotClock
from lucid_blocks.engine import Application, Finalized, Participant
from lucid_blocks.faults import NotDurable
from lucid_kit.clock import Clock
from lucid_kit.logs import get_logger
from lucid_proof.checkpoint import sign_checkpoint
from lucid_proof.note import CosignerKey, SignerKey

_POWER: Final = 1

Observe: TypeAlias = Callable[[float], object]


def _nothing(_seconds: float) -> None:
    """Nobody watches."""


class SoloEngine:
    """Decides blocks alone.

    Parameters
    ----------
    app : Application
        What the blocks are of.
    log_key, validator : SignerKey, CosignerKey
        The checkpoint's signature and its only cosignature.
    clock : Clock
        For the slots and the blocks' times.
    """

    name = "solo"

    def __init__(
        self,
        app: Application,
        log_key: SignerKey,
        validator: CosignerKey,
        clock: Clock,
    ) -> None:
        self._app = app
        self._log_key = log_key
        self._validator = validator
        self._clock = clock
        self._observers: tuple[Observe, Observe] = (_nothing, _nothing)
        self._slots = SlotClock(clock, app.state.params.block_ms, app.state.tip.time_ms)

    async def run(self) -> None:
        """A block on every slot, until cancelled; a block that has begun is finished first."""
        while True:
            await self._slots.wait()
            late, took = self._observers
            began_ms = self._clock.monotonic_ms()
            late(-self._slots.due_in_ms / 1000)
            work = asyncio.create_task(asyncio.to_thread(self.decide))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise
            took((self._clock.monotonic_ms() - began_ms) / 1000)

    def decide(self) -> Finalized | None:
        """Make the next block now. None, and a line in the log, if the disk refused: the next slot tries
        again."""
        try:
            self._app.catch_up()
            entries = self._app.prepare_proposal()
            finalized = self._app.finalize_block(entries, self._slots.stamp())
            self._app.process_proposal(finalized.block)
            self._app.commit(finalized, self.seal(finalized))
        except NotDurable as error:
            get_logger().error("block.not_durable", code=error.code, detail=error.detail, advice=error.advice)
            self._slots.made(self._app.state.tip.time_ms)
            return None
        self._slots.made(finalized.block.header.time_ms)
        return finalized

    def seal(self, finalized: Finalized) -> bytes:
        """The block's checkpoint with both signatures. The same block always gives the same bytes."""
        return seal(finalized, self._log_key, self._validator)

    def watch(self, late: Observe, took: Observe) -> None:
        """Tell these how late (s) each block was begun, and how long (s) it took."""
        self._observers = (late, took)

    def participants(self) -> tuple[Participant, ...]:
        """The one validator."""
        vkey = self._validator.verifier
        return (Participant(vkey.name, vkey.public.hex(), str(vkey), _POWER),)

    def next_block_in_ms(self) -> int:
        """Milliseconds until the next block is due; negative when it is late."""
        return self._slots.due_in_ms


def seal(finalized: Finalized, log_key: SignerKey, validator: CosignerKey) -> bytes:
    """A block's signed checkpoint; the cosignature states the block's own time, rounded down to a second."""
    return sign_checkpoint(finalized.checkpoint, log_key, [validator], finalized.block.header.time_ms // 1000)
