"""Windows of time: what was made beforehand, backdated, or left out shows."""

from dataclasses import replace

import pytest

from lucid_proof import Verdict, records, verify
from lucid_proof.records import Seen, build_transaction
from lucid_proof.report import Window
from lucid_proof.testing import BLOCK_MS, START_MS, TestLog, a_session, rewrite


def judged(session, tmp_path, trust=None):
    return verify(session.write(tmp_path / "a.lucid"), trust or session.policy)


def only_message(report) -> str:
    assert len(report.findings) == 1, report.findings
    return f"{report.findings[0].where}: {report.findings[0].message}"


def test_every_chunk_has_a_window_from_the_block_it_names_to_the_block_that_anchors_it(tmp_path):
    report = judged(a_session().with_chunks(5).closed(), tmp_path)
    assert list(report.windows) == [
        Window(0, 1, START_MS + BLOCK_MS, 1, START_MS + 2 * BLOCK_MS, 2),
        Window(2, 3, START_MS + 2 * BLOCK_MS, 2, START_MS + 3 * BLOCK_MS, 3),
        Window(4, 4, START_MS + 3 * BLOCK_MS, 3, START_MS + 4 * BLOCK_MS, 4),
    ]
    assert list(report.windows[1:]) == list(report.windows)[1:]
    assert report.windows[-1].first_chunk == 4
    with pytest.raises(IndexError):
        report.windows[3]


def test_the_times_of_begin_and_close_are_reported(tmp_path):
    session = a_session().with_chunks(2).closed()
    report = judged(session, tmp_path)
    begin, close = session.records[0][0], session.records[-1][0]
    assert (report.begun_ms, report.closed_ms) == (begin.time_ms, close.time_ms)


def test_a_pause_in_the_log_explains_a_hole(tmp_path):
    session = a_session().with_chunks(2).paused(300_000).with_chunks(2).closed()
    assert judged(session, tmp_path).findings == ()


def test_pausing_twice_at_the_same_chunk_explains_one_hole(tmp_path):
    session = a_session().with_chunks(2).paused(200_000).paused(200_000).with_chunks(2).closed()
    assert judged(session, tmp_path).findings == ()


def test_closing_during_a_pause_is_complete(tmp_path):
    session = a_session().with_chunks(2)
    session.record(records.INTERIM, session.state() | {"event": "pause"})
    assert judged(session.closed(), tmp_path).findings == ()


def test_a_hole_without_a_pause_is_a_gap_and_says_how_long(tmp_path):
    session = a_session().with_chunks(2)
    session.chunk(b"later", from_ms=session.clock_ms + 1)
    report = judged(session.closed(), tmp_path)
    assert report.verdict is Verdict.INCOMPLETE
    assert (
        only_message(report)
        == "chunk 2: 1 ms are missing before it, and no pause in the log accounts for them"
    )


def test_a_hole_longer_than_its_pause_is_a_gap(tmp_path):
    session = a_session().with_chunks(2).paused(30_000)
    for _ in range(20):
        session.log.block([])
    session.chunk(b"much later", from_ms=session.log.newest.time_ms)
    report = judged(session.closed(), tmp_path)
    assert report.verdict is Verdict.INCOMPLETE
    assert "chunk 2" in only_message(report)


def test_a_hole_that_begins_long_before_its_pause_is_a_gap(tmp_path):
    session = a_session().with_chunks(2)
    session.clock_ms += 200_000
    while session.log.newest.time_ms < session.clock_ms:
        session.log.block([])
    report = judged(session.paused(30_000).with_chunks(1).closed(), tmp_path)
    assert [each.code for each in report.findings] == ["gap"]


def test_chunks_that_overlap_are_altered(tmp_path):
    session = a_session().with_chunks(2)
    session.chunk(b"again", from_ms=session.clock_ms - 1)
    report = judged(session.closed(), tmp_path)
    assert report.verdict is Verdict.ALTERED
    assert only_message(report) == "chunk 2: it begins 1 ms before the chunk before it ends"


def test_a_recording_made_beforehand_is_altered(tmp_path):
    """Chunks that claim times long before the block that they name."""
    session = a_session()
    for _ in range(30):
        session.log.block([])
    session.with_chunks(1)  # its clock stands where the session began
    report = judged(session.closed(), tmp_path)
    assert report.verdict is Verdict.ALTERED
    assert "chunk 0" in report.findings[-1].where or "backdated" in report.findings[0].message


def test_a_backdated_record_is_altered_and_says_by_how_much(tmp_path):
    session = a_session()
    for _ in range(30):
        session.log.block([])
    report = judged(session.closed(), tmp_path)
    assert report.verdict is Verdict.ALTERED
    assert "session record 1: time: it claims a time 299500 ms before block 31" in only_message(report)


def test_a_record_dated_ahead_is_altered(tmp_path):
    session = a_session()
    session.clock_ms += 90_000
    report = judged(session.closed(), tmp_path)
    assert report.verdict is Verdict.ALTERED
    assert "after block 2, which anchors it" in only_message(report)


def test_the_tolerance_is_the_policys(tmp_path):
    session = a_session()
    session.clock_ms += 15_000
    path = session.closed().write(tmp_path / "a")
    # One block (10 s) later the record is anchored, while it claims 15.5 s later: 5.5 s beyond.
    for skew, verdict in [(5_500, Verdict.COMPLETE), (5_499, Verdict.ALTERED)]:
        assert verify(path, replace(session.policy, max_clock_skew_ms=skew)).verdict is verdict


def test_the_tolerance_holds_backwards_too(tmp_path):
    session = a_session()
    while session.log.newest.time_ms < session.clock_ms + 20_000:
        session.log.block([])
    path = session.closed().write(tmp_path / "a")
    early = session.records[1][0].seen.height * BLOCK_MS + START_MS - session.records[1][0].time_ms
    for skew, verdict in [(early, Verdict.COMPLETE), (early - 1, Verdict.ALTERED)]:
        assert verify(path, replace(session.policy, max_clock_skew_ms=skew)).verdict is verdict


def test_a_pause_covers_a_hole_up_to_the_tolerance_and_no_further(tmp_path):
    session = a_session().with_chunks(2).paused(30_000)
    resumed = session.records[-1][0].time_ms
    session.chunk(b"late", from_ms=resumed + 5_000)
    path = session.closed().write(tmp_path / "a")
    for skew, verdict in [(10_000, Verdict.COMPLETE), (5_000, Verdict.COMPLETE), (4_999, Verdict.INCOMPLETE)]:
        assert verify(path, replace(session.policy, max_clock_skew_ms=skew)).verdict is verdict, skew


def test_a_chunk_dated_ahead_is_altered(tmp_path):
    session = a_session()
    start = session.clock_ms
    session.chunk(b"x", lasts_ms=100_000)
    session.clock_ms = start
    report = judged(session.closed(), tmp_path)
    assert report.verdict is Verdict.ALTERED
    assert only_message(report).startswith("chunk 0: it claims a time")


def test_a_chunk_from_before_the_session_is_altered(tmp_path):
    session = a_session()
    session.chunk(b"x", from_ms=session.clock_ms - 80_000, lasts_ms=80_000)
    assert "before the session" in only_message(judged(session.closed(), tmp_path))


def test_a_record_that_names_a_block_by_another_hash_is_altered(tmp_path):
    session = a_session()
    session.record(
        records.INTERIM, session.state() | {"event": "tick", "seen": {"hash": "ab" * 32, "height": 1}}
    )
    assert "by a hash that this block does not have" in only_message(judged(session, tmp_path))


def test_a_chunk_that_names_a_block_by_another_hash_is_altered(tmp_path):
    session = a_session()
    made = session.chunk(b"x")
    session.chunks[0] = (replace(made, seen=Seen(1, b"\1" * 32)), b"x")
    report = judged(session.closed(), tmp_path)
    assert only_message(report).startswith("chunk 0: it names block 1 by a hash")


def test_chunks_that_name_older_and_older_blocks_are_altered(tmp_path):
    session = a_session()
    session.log.block([])
    session.chunk(b"one")
    made = session.chunk(b"two")
    session.chunks[1] = (replace(made, seen=session.log.headers[1].seen()), b"two")
    report = judged(session.closed(), tmp_path)
    assert only_message(report) == "chunk 1: it names block 1, and what came before it names block 2"


def bad_record(tmp_path, kind=records.INTERIM, *, chunks=2, **members):
    """A session whose last record breaks one rule, though log and recorder signed it."""
    session = a_session().with_chunks(chunks)
    session.record(kind, session.state() | {"event": "tick"} | members)
    report = judged(session, tmp_path)
    assert report.verdict is Verdict.ALTERED
    return only_message(report)


def test_time_going_back_between_records_is_altered(tmp_path):
    assert "before that of the record that it follows" in bad_record(tmp_path, time=START_MS + 1)


def test_a_record_that_names_an_older_block_than_the_one_before_is_altered(tmp_path):
    seen = a_session().log.headers[0].seen().to_json()
    assert "names an older block" in bad_record(tmp_path, seen=seen)


def test_a_shrinking_count_of_chunks_is_altered(tmp_path):
    session = a_session().with_chunks(2)
    session.record(records.INTERIM, {"chunks": 1, "event": "tick", "root": "ab" * 32})
    assert "it counts 1 chunks after 2" in only_message(judged(session, tmp_path))


def test_another_root_for_the_same_chunks_is_altered(tmp_path):
    assert "another root for the same chunks" in bad_record(tmp_path, root="ab" * 32)


def test_a_resume_without_a_pause_is_altered(tmp_path):
    assert "a resume without what it answers to" in bad_record(tmp_path, event="resume")


def test_a_pause_during_a_pause_is_altered(tmp_path):
    session = a_session()
    for _ in range(2):
        session.record(records.INTERIM, session.state() | {"event": "pause"})
    assert "a pause without what it answers to" in only_message(judged(session, tmp_path))


def test_chunks_added_during_a_pause_are_altered(tmp_path):
    session = a_session().with_chunks(1)
    session.record(records.INTERIM, session.state() | {"event": "pause"})
    session.with_chunks(1)
    assert "chunks were added during a pause" in only_message(judged(session, tmp_path))


def test_a_record_after_the_close_is_altered(tmp_path):
    session = a_session().closed().closed()
    assert "a record after the close record" in only_message(judged(session, tmp_path))


def test_records_in_the_log_in_another_order_than_they_say_are_altered(tmp_path):
    session = a_session()
    first = session.common() | session.state() | {"event": "tick"}
    one = build_transaction(records.INTERIM, first, session.log.origin, session.recorder)
    two = build_transaction(records.INTERIM, first | {"seq": 2}, session.log.origin, session.recorder)
    session.anchor(two)
    session.anchor(one)
    session.records[1:] = session.records[:0:-1]
    assert "in the log before the record that it follows" in only_message(judged(session, tmp_path))


def test_a_transaction_of_another_kind_is_no_session_record(tmp_path):
    session = a_session()
    body = {"name": "x", "nonce": 0, "recorder": "ee" * 32}
    admit = build_transaction(records.ADMIT, body, session.log.origin, session.recorder)
    path = session.closed().write(tmp_path / "a")

    def change(members):
        members["evidence/1.leaf"] = admit.bytes()

    report = verify(rewrite(path, tmp_path / "b", change), session.policy)
    assert "which is no session record" in only_message(report)


def test_a_block_that_lies_about_its_own_log_is_altered(tmp_path):
    log = TestLog()
    lying = replace(log.made([]), log_root=b"\0" * 32)
    log._append(lying.bytes())
    log.headers.append(lying)
    session = a_session(log)
    report = judged(session, tmp_path)
    assert report.verdict is Verdict.ALTERED
    assert "a root that the log before it does not have" in only_message(report)


def test_a_block_of_another_chain_in_the_log_is_altered(tmp_path):
    log = TestLog()
    foreign = replace(log.made([]), chain="lucid.local/x")
    log._append(foreign.bytes())
    log.headers.append(foreign)
    report = judged(a_session(log), tmp_path)
    assert "of the chain 'lucid.local/x'" in only_message(report)
