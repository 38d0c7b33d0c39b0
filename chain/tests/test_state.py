"""The block's own rules, and what a state is."""

from dataclasses import replace

import pytest

from lucid_blocks import refusals as no
from lucid_blocks.state import apply, build, commitment, state_root
from lucid_proof import domains

from .builders import OTHER, START_MS, STRANGER, VALIDATOR, MemoryChain, public, session_id
from .test_rules import SESSION, begun, refused

__all__ = ["begun"]


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (no.ForeignBlock, {"chain": "lucid.local/other"}),
        (no.WrongHeight, {"height": 5}),
        (no.WrongParent, {"prev": b"\x01" * 32}),
        (no.WrongCount, {"txs": 0}),
        (no.TimeNotLater, {"time_ms": START_MS}),
        (no.WrongLog, {"log_size": 9}),
        (no.WrongLog, {"log_root": b"\x02" * 32}),
        (no.WrongState, {"state_root": b"\x03" * 32}),
    ],
)
def test_a_block_with_one_member_wrong_is_refused(
    chain: MemoryChain, rule: type[no.Refused], changes: dict[str, object]
) -> None:
    block = chain.next(chain.write.begin(SESSION))
    with refused(rule):
        apply(chain.state, replace(block, header=replace(block.header, **changes)))


def test_a_block_with_one_bad_transaction_is_refused_whole(chain: MemoryChain) -> None:
    good = chain.next(chain.write.begin(SESSION))
    bad = chain.write.begin(session_id(2), STRANGER)
    block = replace(good, header=replace(good.header, txs=2, log_size=3), entries=(*good.entries, bad))
    with refused(no.RecorderNotAdmitted):
        apply(chain.state, block)
    assert not chain.state.open


def test_two_transactions_swapped_are_another_block(chain: MemoryChain) -> None:
    block = chain.next(chain.write.begin(SESSION), chain.write.begin(session_id(2)))
    with refused(no.WrongLog):
        apply(chain.state, replace(block, entries=block.entries[::-1]))


def test_a_block_holds_no_more_transactions_than_the_chain_allows(chain: MemoryChain) -> None:
    state = replace(chain.state, params=replace(chain.state.params, max_block_txs=1))
    entries = [chain.write.begin(session_id(number)) for number in (1, 2)]
    build(state, entries[:1], START_MS + 1)
    with refused(no.BlockTooLarge):
        build(state, entries, START_MS + 1)


def test_a_block_holds_no_more_bytes_than_the_chain_allows(chain: MemoryChain) -> None:
    entry = chain.write.begin(SESSION)
    state = replace(chain.state, params=replace(chain.state.params, max_block_bytes=len(entry.data) - 1))
    with refused(no.BlockTooLarge):
        build(state, [entry], START_MS + 1)


def test_apply_changes_nothing_of_the_state_it_is_given(begun: MemoryChain) -> None:
    before, root = begun.state, state_root(begun.state)
    begun.add(begun.write.close(SESSION, 2, 2, time=START_MS + 2_000), begun.write.begin(session_id(2)))
    assert state_root(before) == root
    assert SESSION in before.open
    assert not before.was_closed(SESSION)


def test_a_state_does_not_know_its_future_though_its_history_does(begun: MemoryChain) -> None:
    before = begun.state
    begun.add(begun.write.close(SESSION, 2, 2, time=START_MS + 2_000))
    begun.settle()
    assert begun.state.was_closed(SESSION)
    assert before.block_hash(before.height + 1) is None
    assert not before.was_closed(SESSION)


def test_the_commitment_is_what_the_specification_says(begun: MemoryChain) -> None:
    begun.add(
        begun.write.begin(session_id(2), OTHER), begun.write.close(SESSION, 2, 2, time=START_MS + 2_000)
    )
    said = commitment(begun.state, begun.state.height)
    assert isinstance(said, dict)
    assert said.keys() == {"chain", "closed", "height", "nonces", "open", "recorders", "validators"}
    assert said["closed"] == {"root": domains.leaf_hash(SESSION.encode()).hex(), "size": 1}
    assert list(said["open"]) == [session_id(2)]
    assert said["validators"] == [public(VALIDATOR)]
    assert begun.state.tip.state_root == domains.state_root(said)


def test_a_header_stands_at_its_own_log_size(chain: MemoryChain) -> None:
    block = chain.add(chain.write.begin(SESSION))
    assert block.header.log_size == 2  # block 0's header, and one transaction
    assert block.header.log_root == domains.node_hash(chain.blocks[0].header.hash(), block.entries[0].hash)
    assert chain.state.log.size == 3
