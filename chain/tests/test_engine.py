"""The solo engine on a clock that the test moves."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from lucid_blocks.faults import ForkDanger
from lucid_blocks.ledger import ANCHOR
from lucid_proof.checkpoint import sign_checkpoint

from .builders import COSIGNER, LOG_SIGNER, DiskChain


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110 - the engine's thread sets no event
        await asyncio.sleep(0)


async def one_slot(disk: DiskChain) -> None:
    """Let the engine fall asleep, and wake it when its block is due."""
    await until(lambda: disk.clock.sleepers)
    disk.clock.advance(10_000)


async def reached(disk: DiskChain, height: int) -> None:
    await until(lambda: disk.ledger.head.header.height == height and disk.node.engine.next_block_in_ms() > 0)


async def test_it_decides_a_block_on_each_slot_until_it_is_stopped(disk: DiskChain) -> None:
    late: list[float] = []
    took: list[float] = []
    disk.node.engine.watch(late.append, took.append)
    running = asyncio.create_task(disk.node.engine.run())
    for height in (1, 2, 3):
        await one_slot(disk)
        await reached(disk, height)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    times = [each.header.time_ms for each in disk.node.view.blocks(None, 9)]
    assert [later - earlier for later, earlier in pairwise(times)] == [10_000] * 3
    assert late == [0.0] * 3
    assert set(took) == {0.0}


async def test_a_block_that_has_begun_is_finished_before_it_stops(disk: DiskChain) -> None:
    running = asyncio.create_task(disk.node.engine.run())
    await one_slot(disk)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert disk.ledger.store.newest().checkpoint == disk.ledger.head.checkpoint


async def test_what_must_stop_the_chain_ends_the_engine(disk: DiskChain) -> None:
    (disk.directory / ANCHOR / "checkpoint").write_bytes(b"moved")
    running = asyncio.create_task(disk.node.engine.run())
    await one_slot(disk)
    with pytest.raises(ForkDanger):
        await running


def test_the_same_block_is_always_signed_with_the_same_bytes(disk: DiskChain) -> None:
    finalized = disk.ledger.finalize_block([], disk.clock.now_ms() + 10_000)
    time_s = finalized.block.header.time_ms // 1000
    once, twice = (sign_checkpoint(finalized.checkpoint, LOG_SIGNER, [COSIGNER], time_s) for _ in range(2))
    assert once == twice
    engine = disk.node.engine
    assert engine.seal(finalized) == engine.seal(finalized)
