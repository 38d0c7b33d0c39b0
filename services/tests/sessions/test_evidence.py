"""Records are signed once, journalled before anyone has them, and never name an older block than before."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lucid.sessions.clock import SessionClock
from lucid.sessions.errors import RecordsDamaged
from lucid.sessions.evidence import Evidence, RecordLog, Signer, as_record
from lucid.sessions.settling import slug
from lucid_kit.clock import ManualClock
from lucid_kit.ids import new_id
from lucid_proof import merkle
from lucid_proof.records import ChunkRecord, Seen

KEY = Ed25519PrivateKey.generate()
SIGNER = Signer("lucid.local/test", KEY)
SESSION = new_id("ses")
T0 = 1_800_000_000_000


def seen(height: int) -> Seen:
    return Seen(height, height.to_bytes(32, "big"))


def a_chunk(index: int, height: int = 1, to_ms: int | None = None) -> ChunkRecord:
    at = T0 + index * 1000
    return ChunkRecord.of(SESSION, index, b"%d" % index, at, to_ms or at + 1000, seen(height))


def begun(path: Path) -> Evidence:
    evidence = Evidence(SESSION, RecordLog(path), SIGNER)
    evidence.begin(commitment="ab" * 32, on_failure="cut", within_ms=1000, seen=seen(3), time_ms=T0)
    return evidence


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


def test_a_record_is_in_the_file_before_it_is_given_out(path: Path) -> None:
    evidence = begun(path)
    record = evidence.interim("tick", seen=seen(4), time_ms=T0 + 5)
    assert RecordLog(path).read() == [evidence.records[0], record]
    record.verify()


def test_a_close_is_signed_once_however_often_it_is_asked_for(path: Path) -> None:
    first = begun(path).close("abandoned", "recorder-died", seen=seen(4), time_ms=T0)
    again = Evidence(SESSION, RecordLog(path), SIGNER).close(
        "closed", "stopped", seen=seen(9), time_ms=T0 + 9
    )
    assert again == first
    assert len(RecordLog(path).read()) == 2


def test_a_torn_last_record_is_cut_off_and_signed_anew(path: Path) -> None:
    begun(path)
    with path.open("ab") as file:
        file.write(b'{"body":{"chunks":1,')
    evidence = Evidence(SESSION, RecordLog(path), SIGNER)
    evidence.close("abandoned", "x", seen=seen(4), time_ms=T0)
    assert [record.seq for record in RecordLog(path).read()] == [0, 1]


def test_a_damaged_record_is_not_passed_over(path: Path) -> None:
    begun(path)
    data = path.read_bytes()
    path.write_bytes(b"{}\n" + data)
    with pytest.raises(RecordsDamaged):
        RecordLog(path).read()


def test_a_record_names_no_older_block_than_the_chunk_before_it(path: Path) -> None:
    evidence = begun(path)
    evidence.add(a_chunk(0, height=7))
    assert evidence.interim("tick", seen=seen(5), time_ms=T0).seen == seen(7)


def test_a_record_is_not_older_than_what_it_covers(path: Path) -> None:
    evidence = begun(path)
    evidence.add(a_chunk(0, to_ms=T0 + 60_000))
    assert evidence.close("closed", "stopped", seen=seen(5), time_ms=T0).time_ms == T0 + 60_000


def test_a_chunk_out_of_order_is_refused(path: Path) -> None:
    with pytest.raises(RecordsDamaged, match="chunk 1 where 0 was due"):
        begun(path).add(a_chunk(1))


@given(st.lists(st.sampled_from(["chunk", "tick"]), max_size=12))
def test_roots_are_those_of_the_chunks_so_far(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    evidence = begun(tmp_path_factory.mktemp("evidence") / "records.jsonl")
    leaves: list[bytes] = []
    for step in steps:
        if step == "chunk":
            chunk = a_chunk(len(leaves))
            evidence.add(chunk)
            leaves.append(chunk.leaf_hash())
        else:
            record = evidence.interim("tick", seen=seen(3), time_ms=T0)
            assert record.body["root"] == merkle.root(leaves).hex()
            assert as_record(record).chunks == len(leaves)
    times = [record.time_ms for record in evidence.records]
    assert times == sorted(times)
    assert [record.seq for record in evidence.records] == list(range(len(evidence.records)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Logged out.", "logged-out"),
        ("", "unknown"),
        ("a" * 90, "a" * 64),
        ("äöü!", "unknown"),
        ("x" * 63 + " y", "x" * 63),
    ],
)
def test_a_reason_has_the_form_that_records_ask_for(text: str, reason: str) -> None:
    assert slug(text) == reason


def test_a_session_does_not_begin_before_the_block_it_names() -> None:
    assert SessionClock(ManualClock(T0), T0 + 3_600_000).start_ms == T0 + 3_600_000


def test_a_session_does_not_begin_in_a_time_that_the_chain_has_not_reached() -> None:
    assert SessionClock(ManualClock(T0 + 3_600_000), T0, T0 + 15_000).start_ms == T0 + 15_000


def test_a_running_session_steps_forward_to_a_block_that_is_ahead_of_it_and_never_back() -> None:
    wall = ManualClock(T0)
    clock = SessionClock(wall, T0)
    clock.reach(T0 + 3_600_000)
    assert clock.now_ms() == T0 + 3_600_000
    wall.advance(10)
    clock.reach(T0)
    assert clock.now_ms() == T0 + 3_600_010


@given(st.lists(st.integers(-4_000_000, 4_000_000), min_size=1, max_size=6))
def test_no_jump_of_the_wall_clock_reaches_a_running_session(jumps: list[int]) -> None:
    wall = ManualClock(T0)
    clock = SessionClock(wall, 0)
    for passed, jump in enumerate(jumps, 1):
        wall.advance(10)
        wall.set_now_ms(T0 + jump)
        assert clock.now_ms() == T0 + 10 * passed
