"""A bundle assembled from a log's tiles alone is the bundle that its session would write."""

from dataclasses import replace

import pytest

from lucid_proof import Verdict, verify
from lucid_proof.assemble import assemble
from lucid_proof.bundle import BundleWriter
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.errors import BadProof
from lucid_proof.note import Note
from lucid_proof.testing import a_session
from lucid_proof.tiles import TileReader


@pytest.fixture
def session():
    return a_session().with_chunks(5).paused().with_chunks(2).closed()


def gathered(session, **changes):
    files = session.log.files()
    head = Checkpoint.parse(Note.parse(files["checkpoint"]).text)
    log = TileReader(files.__getitem__, head.size, head.root)
    given = {
        "records": [(*each, height) for each, height in zip(session.records, session.anchors, strict=True)],
        "seen": [record.seen for record, _ in session.chunks],
        "header_at": session.log.headers.__getitem__,
    }
    return assemble(log, **(given | changes))


def test_it_is_the_bundle_that_the_session_would_write(session, tmp_path):
    evidence, blocks = gathered(session)
    with BundleWriter(tmp_path / "a") as writer:
        for chunk in session.chunks:
            writer.add_chunk(*chunk)
        writer.finish(evidence, blocks, session.log.checkpoint())
    assert verify(tmp_path / "a", session.policy).verdict is Verdict.COMPLETE
    assert (tmp_path / "a").read_bytes() == session.write(tmp_path / "b").read_bytes()


def test_a_record_that_does_not_stand_where_it_is_said_to_is_refused(session):
    record, index = session.records[1]
    with pytest.raises(BadProof, match="seq 1 does not stand at index"):
        gathered(session, records=[(record, index + 1, 1)])


def test_a_header_that_the_log_does_not_hold_is_refused(session):
    with pytest.raises(BadProof, match="header of block"):
        gathered(session, header_at=lambda height: replace(session.log.headers[height], time_ms=1))


def test_blocks_named_by_other_hashes_are_refused(session):
    seen = session.chunks[0][0].seen
    with pytest.raises(BadProof, match="header of block"):
        gathered(session, records=[], seen=[replace(seen, hash=b"\1" * 32)])
    with pytest.raises(BadProof, match="different hashes"):
        gathered(session, seen=[seen, replace(seen, hash=b"\1" * 32)])
