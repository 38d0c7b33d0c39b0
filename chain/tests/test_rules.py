"""One test for each rule of docs/specs/chain.md: a valid chain, and exactly one thing wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lucid_blocks import refusals as no
from lucid_blocks.models import Entry
from lucid_blocks.rules import Draft, transact

from .builders import OTHER, RECORDER, START_MS, STRANGER, MemoryChain, a_root, public, session_id

SESSION = session_id(1)


@contextmanager
def refused(rule: type[no.Refused]) -> Iterator[None]:
    with pytest.raises(no.Refused) as caught:
        yield
    assert type(caught.value) is rule, caught.value
    assert caught.value.rule == rule.__name__
    assert caught.value.detail
    assert caught.value.advice


@pytest.fixture
def begun(chain: MemoryChain) -> MemoryChain:
    """A chain with a session that has two chunks and was recording in its last record."""
    chain.add(chain.write.begin(SESSION))
    chain.add(chain.write.interim(SESSION, 1, chunks=2, time=START_MS + 1_000))
    return chain


def later(chain: MemoryChain, seq: int = 2, **changes: object) -> Entry:
    return chain.write.interim(SESSION, seq, **{"chunks": 2, "time": START_MS + 2_000, **changes})


def test_a_transaction_for_another_chain_is_refused(chain: MemoryChain) -> None:
    body = chain.write.begin(SESSION).tx.body
    with refused(no.ForeignTransaction):
        chain.add(chain.write.sign("session.begin", body, RECORDER, chain="lucid.local/other"))


def test_a_transaction_whose_body_was_changed_is_refused(chain: MemoryChain) -> None:
    tx = chain.write.begin(SESSION).tx
    with refused(no.BadSignature):
        chain.add(Entry.of(replace(tx, body={**tx.body, "time": 1})))


def test_a_transaction_with_anothers_signature_is_refused(chain: MemoryChain) -> None:
    tx = chain.write.begin(SESSION).tx
    with refused(no.BadSignature):
        chain.add(Entry.of(replace(tx, key=bytes.fromhex(public(OTHER)))))


def test_a_session_of_a_key_that_was_not_admitted_is_refused(chain: MemoryChain) -> None:
    with refused(no.RecorderNotAdmitted):
        chain.add(chain.write.begin(SESSION, STRANGER))


def test_a_session_begins_once(begun: MemoryChain) -> None:
    with refused(no.SessionUsed):
        begun.add(begun.write.begin(SESSION, time=START_MS + 1))


def test_a_session_begins_once_even_within_one_block(chain: MemoryChain) -> None:
    with refused(no.SessionUsed):
        chain.add(chain.write.begin(SESSION), chain.write.begin(SESSION, OTHER))


def test_a_closed_session_has_no_second_life(begun: MemoryChain) -> None:
    begun.add(begun.write.close(SESSION, 2, 2, time=START_MS + 2_000))
    with refused(no.SessionUsed):
        begun.add(begun.write.begin(SESSION))
    begun.settle()
    with refused(no.SessionUsed):
        begun.add(begun.write.begin(SESSION))


def test_a_session_that_was_closed_in_this_very_block_has_no_second_life(begun: MemoryChain) -> None:
    with refused(no.SessionUsed):
        begun.add(begun.write.close(SESSION, 2, 2, time=START_MS + 2_000), begun.write.begin(SESSION))


def test_a_record_of_a_session_that_never_began_is_refused(chain: MemoryChain) -> None:
    with refused(no.SessionUnknown):
        chain.add(chain.write.interim(SESSION, 1))


def test_a_closed_session_takes_no_more_records(begun: MemoryChain) -> None:
    begun.add(begun.write.close(SESSION, 2, 2, time=START_MS + 2_000))
    with refused(no.SessionUnknown):
        begun.add(later(begun, 3))


def test_only_the_key_that_began_a_session_goes_on_with_it(begun: MemoryChain) -> None:
    with refused(no.NotTheSessionsKey):
        begun.add(later(begun, key=OTHER))


@pytest.mark.parametrize("seq", [1, 3], ids=["repeated", "skipped"])
def test_a_record_that_is_not_the_next_is_refused(begun: MemoryChain, seq: int) -> None:
    with refused(no.WrongSequence):
        begun.add(later(begun, seq))


def test_a_record_dated_before_the_previous_one_is_refused(begun: MemoryChain) -> None:
    with refused(no.TimeWentBack):
        begun.add(later(begun, time=START_MS + 999))


def test_a_record_that_has_seen_a_block_of_another_chain_is_refused(chain: MemoryChain) -> None:
    with refused(no.SeenUnknown):
        chain.add(chain.write.begin(SESSION, seen={"hash": "22" * 32, "height": 0}))


def test_a_record_that_has_seen_the_future_is_refused(chain: MemoryChain) -> None:
    future = chain.next().header.hash().hex()
    with refused(no.SeenUnknown):
        chain.add(chain.write.begin(SESSION, seen={"hash": future, "height": 1}))


def test_a_record_that_has_seen_an_older_block_than_before_is_refused(begun: MemoryChain) -> None:
    with refused(no.SeenWentBack):
        begun.add(later(begun, seen=begun.write.seen(0)))


def test_a_session_never_has_fewer_chunks_than_before(begun: MemoryChain) -> None:
    with refused(no.ChunksWentBack):
        begun.add(later(begun, chunks=1))


def test_sealed_chunks_never_change(begun: MemoryChain) -> None:
    with refused(no.RootChanged):
        begun.add(later(begun, root=a_root(7)))


def test_a_paused_session_cannot_be_paused(begun: MemoryChain) -> None:
    begun.add(later(begun, event="pause"))
    with refused(no.NotRecording):
        begun.add(later(begun, 3, event="pause"))


def test_a_session_that_is_recording_cannot_be_resumed(begun: MemoryChain) -> None:
    with refused(no.NotPaused):
        begun.add(later(begun, event="resume"))


@pytest.mark.parametrize("event", ["tick", "resume"])
def test_no_chunk_is_added_while_paused(begun: MemoryChain, event: str) -> None:
    begun.add(later(begun, event="pause", chunks=3))
    with refused(no.ChunksWhilePaused):
        begun.add(later(begun, 3, event=event, chunks=4))


def test_close_adds_no_chunk_while_paused(begun: MemoryChain) -> None:
    begun.add(later(begun, event="pause"))
    with refused(no.ChunksWhilePaused):
        begun.add(begun.write.close(SESSION, 3, 3, time=START_MS + 3_000))


def test_a_paused_session_ticks_resumes_and_grows_again(begun: MemoryChain) -> None:
    begun.add(later(begun, event="pause"))
    assert begun.state.open[SESSION].paused
    begun.add(later(begun, 3), later(begun, 4, event="resume"), later(begun, 5, chunks=9))
    assert not begun.state.open[SESSION].paused
    assert begun.state.open[SESSION].chunks == 9


def test_only_a_validator_admits(chain: MemoryChain) -> None:
    with refused(no.NotAValidator):
        chain.add(chain.write.admit(public(STRANGER), 0, key=RECORDER))


@pytest.mark.parametrize("nonce", [0, 2], ids=["repeated", "skipped"])
def test_a_validators_nonces_have_no_gaps(chain: MemoryChain, nonce: int) -> None:
    chain.add(chain.write.admit(public(STRANGER), 0))
    with refused(no.WrongNonce):
        chain.add(chain.write.revoke(public(STRANGER), nonce))


def test_a_recorder_is_admitted_once(chain: MemoryChain) -> None:
    with refused(no.RecorderKnown):
        chain.add(chain.write.admit(public(RECORDER), 0))


def test_only_an_admitted_recorder_is_revoked(chain: MemoryChain) -> None:
    with refused(no.RecorderUnknown):
        chain.add(chain.write.revoke(public(STRANGER), 0))


def test_an_admitted_recorder_may_begin_in_the_same_block(chain: MemoryChain) -> None:
    chain.add(chain.write.admit(public(STRANGER), 0), chain.write.begin(SESSION, STRANGER))
    assert chain.state.open[SESSION].key == public(STRANGER)
    assert chain.state.recorders[public(STRANGER)] == "desk"


def test_a_revoked_recorder_closes_what_it_began_and_begins_no_more(begun: MemoryChain) -> None:
    begun.add(begun.write.revoke(public(RECORDER), 0))
    with refused(no.RecorderNotAdmitted):
        begun.add(begun.write.begin(session_id(2)))
    begun.add(begun.write.close(SESSION, 2, 5, time=START_MS + 2_000))
    assert SESSION not in begun.state.open


def test_the_same_transaction_twice_is_refused_by_the_rules_of_its_kind(chain: MemoryChain) -> None:
    admitted = chain.write.admit(public(STRANGER), 0)
    chain.add(admitted)
    with refused(no.WrongNonce):
        chain.add(admitted)


def test_a_refused_transaction_leaves_the_draft_as_it_was(begun: MemoryChain) -> None:
    draft = Draft(begun.state)
    before = (draft.open(), dict(draft.recorders), dict(draft.nonces), list(draft.closed))
    bad = [
        later(begun, 7),
        begun.write.close(SESSION, 9),
        begun.write.begin(SESSION),
        begun.write.admit(public(RECORDER), 0),
    ]
    for each in bad:
        with pytest.raises(no.TransactionRefused) as caught:
            transact(draft, each)
        assert caught.value.facts["tx"] == each.id
    assert (draft.open(), draft.recorders, draft.nonces, draft.closed) == before
