"""Writing bundles: incremental, resumable, never half of one under its name."""

import io
import tracemalloc

import pytest

from lucid_proof import Verdict, verify
from lucid_proof.bundle import BundleWriter
from lucid_proof.errors import AlteredBundle, MalformedNote
from lucid_proof.testing import SESSION, a_session


@pytest.fixture
def session():
    return a_session().with_chunks(4, size=3000)


def test_a_later_export_keeps_the_chunks_of_the_earlier_one(session, tmp_path):
    path = session.write(tmp_path / "a.lucid")
    before = path.read_bytes()
    session.with_chunks(2, size=3000).closed()
    touched = []
    with BundleWriter(path) as writer:
        for record, data in session.chunks:
            kept = writer.has(record)
            writer.add_chunk(record, None if kept else data)
            touched.append(not kept)
        writer.finish(session.evidence(), session.blocks(), session.log.checkpoint())
    assert touched == [False, False, False, False, True, True]
    assert path.read_bytes()[:12_000] == before[:12_000]
    assert path.read_bytes() == session.write(tmp_path / "fresh.lucid").read_bytes()
    assert verify(path, session.policy).verdict is Verdict.COMPLETE
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".part"] == []


def test_an_export_that_was_cut_off_goes_on_where_it_stopped(session, tmp_path):
    path = tmp_path / "a.lucid"
    with BundleWriter(path) as writer:
        writer.add_chunk(*session.chunks[0])
        writer.add_chunk(*session.chunks[1])
    assert not path.exists()
    part = tmp_path / "a.lucid.part"
    part.write_bytes(part.read_bytes()[:-1000])  # torn in the second chunk
    with BundleWriter(path) as writer:
        assert [writer.has(session.chunks[0][0])] == [True]
        for record, data in session.chunks:
            writer.add_chunk(record, data)
        writer.finish(session.evidence(), session.blocks(), session.log.checkpoint())
    assert path.read_bytes() == session.write(tmp_path / "fresh.lucid").read_bytes()


def test_what_an_earlier_export_left_is_not_trusted(session, tmp_path):
    path = session.write(tmp_path / "a.lucid")
    damaged = bytearray(path.read_bytes())
    damaged[5000] ^= 1  # in the second chunk
    path.write_bytes(damaged)
    with BundleWriter(path) as writer:
        found = []
        for record, data in session.chunks:
            found.append(writer.has(record))
            writer.add_chunk(record, data)
        writer.finish(session.evidence(), session.blocks(), session.log.checkpoint())
    assert found == [True, False, False, False]
    assert verify(path, session.policy).findings[0].code == "in-progress"


def test_another_file_in_the_way_is_replaced_whole(session, tmp_path):
    path = tmp_path / "a.lucid"
    path.write_bytes(b"something else " * 10_000)
    session.write(path)
    assert path.read_bytes() == session.write(tmp_path / "fresh").read_bytes()


def test_a_bundle_is_written_forward_only_to_a_stream(session, tmp_path):
    class Pipe(io.BytesIO):
        def seek(self, *_):
            raise AssertionError("a pipe cannot seek")

    pipe = Pipe()
    with BundleWriter(pipe) as writer:
        for record, data in session.chunks:
            assert not writer.has(record)
            writer.add_chunk(record, data)
        writer.finish(session.evidence(), session.blocks(), session.log.checkpoint())
    assert pipe.getvalue() == session.write(tmp_path / "file").read_bytes()


def test_a_chunk_that_is_not_there_is_left_out_and_judged_incomplete(session, tmp_path):
    session.closed()
    path = tmp_path / "a.lucid"
    with BundleWriter(path) as writer:
        for record, data in session.chunks:
            writer.add_chunk(record, None if record.index == 2 else data)
        writer.finish(session.evidence(), session.blocks(), session.log.checkpoint())
    report = verify(path, session.policy)
    assert report.verdict is Verdict.INCOMPLETE
    assert report.findings[0].where == "chunk 2"
    assert report.chunks == 3


def test_bytes_that_are_not_the_records_are_not_written(session, tmp_path):
    with BundleWriter(tmp_path / "a") as writer:
        record = session.chunks[0][0]
        for wrong in (b"", bytes(3000), session.chunks[0][1] + b"x"):
            with pytest.raises(AlteredBundle, match="not those of its record"):
                writer.add_chunk(record, wrong)


def test_chunks_come_in_order_and_of_one_session(session, tmp_path):
    stranger = a_session(session=SESSION[:-1] + "0").with_chunks(2)
    with BundleWriter(tmp_path / "a") as writer:
        with pytest.raises(AlteredBundle, match="chunk 0 of"):
            writer.add_chunk(*session.chunks[1])
        writer.add_chunk(*session.chunks[0])
        with pytest.raises(AlteredBundle, match=f"chunk 1 of {SESSION} comes next"):
            writer.add_chunk(*stranger.chunks[1])


def test_a_checkpoint_that_is_none_is_refused_before_the_tail_is_written(session, tmp_path):
    with BundleWriter(tmp_path / "a") as writer, pytest.raises(MalformedNote):
        writer.finish(session.evidence(), session.blocks(), b"no note")
    assert not (tmp_path / "a").exists()


def test_memory_stays_bounded_while_a_large_bundle_is_written_and_judged(tmp_path):
    """300 MB in chunks of 8 MiB; the contents repeat, which costs the verifier the same."""
    made = a_session()
    content = bytes(range(256)) * (32 * 1024)
    for _ in range(36):
        made.chunk(content, lasts_ms=1_000)
    made.closed()
    tracemalloc.start()
    try:
        path = made.write(tmp_path / "large.lucid")
        report = verify(path, made.policy)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 300_000_000
    assert (report.verdict, report.bytes) == (Verdict.COMPLETE, 36 * len(content))
    assert peak < 64 * 1024 * 1024
