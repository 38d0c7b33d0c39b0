"""Bounds, quotas, order: nothing costs a fee, and rubbish stays out."""

import pytest

from lucid_blocks import refusals as no
from lucid_blocks.mempool import Bounds, KeyQuotaExceeded, Mempool, MempoolFull, UnknownKey

from .builders import OTHER, RECORDER, STRANGER, MemoryChain, public, session_id

NOW = 7


def a_pool(chain: MemoryChain, **bounds: int) -> Mempool:
    return Mempool(chain.state, Bounds(**bounds))


def test_a_key_that_may_not_write_is_turned_away_before_its_signature_is_checked(chain: MemoryChain) -> None:
    pool = a_pool(chain)
    with pytest.raises(UnknownKey):
        pool.add(chain.write.begin(session_id(1), STRANGER), NOW)
    with pytest.raises(UnknownKey):
        pool.add(chain.write.interim(session_id(1), 1, key=STRANGER), NOW)
    with pytest.raises(UnknownKey):
        pool.add(chain.write.admit(public(STRANGER), 0, key=RECORDER), NOW)
    assert len(pool) == 0


def test_no_more_wait_than_the_bound_says(chain: MemoryChain) -> None:
    pool = a_pool(chain, count=1)
    pool.add(chain.write.begin(session_id(1)), NOW)
    with pytest.raises(MempoolFull):
        pool.add(chain.write.begin(session_id(2)), NOW)


def test_no_more_bytes_wait_than_the_bound_says(chain: MemoryChain) -> None:
    entry = chain.write.begin(session_id(1))
    pool = a_pool(chain, bytes=len(entry.data))
    pool.add(entry, NOW)
    assert pool.size == len(entry.data)
    with pytest.raises(MempoolFull):
        pool.add(chain.write.begin(session_id(2)), NOW)


def test_one_key_cannot_use_up_the_room_of_others(chain: MemoryChain) -> None:
    pool = a_pool(chain, key_count=1)
    pool.add(chain.write.begin(session_id(1)), NOW)
    with pytest.raises(KeyQuotaExceeded):
        pool.add(chain.write.begin(session_id(2)), NOW)
    pool.add(chain.write.begin(session_id(3), OTHER), NOW)


def test_a_keys_bytes_are_bounded_too(chain: MemoryChain) -> None:
    entry = chain.write.begin(session_id(1))
    pool = a_pool(chain, key_bytes=len(entry.data))
    pool.add(entry, NOW)
    with pytest.raises(KeyQuotaExceeded):
        pool.add(chain.write.begin(session_id(2)), NOW)


def test_room_comes_back_with_a_block(chain: MemoryChain) -> None:
    pool = a_pool(chain, count=1)
    first = chain.write.begin(session_id(1))
    pool.add(first, NOW)
    chain.add(first)
    assert pool.rebase(chain.state, [first]) == []
    assert (len(pool), pool.size) == (0, 0)
    pool.add(chain.write.begin(session_id(2)), NOW)


def test_a_transaction_must_be_valid_after_those_that_wait(chain: MemoryChain) -> None:
    pool = a_pool(chain)
    pool.add(chain.write.begin(session_id(1)), NOW)
    with pytest.raises(no.WrongSequence):
        pool.add(chain.write.interim(session_id(1), 2), NOW)
    pool.add(chain.write.interim(session_id(1), 1), NOW)
    pool.add(chain.write.interim(session_id(1), 2), NOW)
    assert len(pool) == 3


def test_what_waits_when_a_block_comes_is_judged_by_the_new_state(chain: MemoryChain) -> None:
    pool = a_pool(chain)
    late = chain.write.begin(session_id(1), OTHER)
    pool.add(late, NOW)
    chain.add(chain.write.revoke(public(OTHER), 0))
    ((entry, refusal),) = pool.rebase(chain.state)
    assert entry is late
    assert isinstance(refusal, no.RecorderNotAdmitted)
    assert pool.get(late.hash) is None


def test_a_block_takes_the_first_that_fit_and_leaves_the_rest_in_order(chain: MemoryChain) -> None:
    pool = a_pool(chain)
    entries = [chain.write.begin(session_id(number)) for number in range(4)]
    for entry in entries:
        pool.add(entry, NOW)
    assert pool.take(3, 1 << 20) == entries[:3]
    assert pool.take(9, len(entries[0].data) * 2) == entries[:2]
    assert [row.entry for row in pool.rows()] == entries
