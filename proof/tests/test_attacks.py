"""Attacks on a recording's evidence, one by one: each is seen, and the message says what and where.

The attacker can write every file and knows no private key of the log, its witnesses or the recorder. The
manifest is always made to fit (`rewrite`), since it takes no key to write one.
"""

import json
from dataclasses import replace

import pytest

from lucid_proof import Verdict, layout, records, verify
from lucid_proof.canonical import decode, encode
from lucid_proof.note import Note, sign
from lucid_proof.records import build_transaction
from lucid_proof.testing import ORIGIN, SESSION, TestLog, a_key, a_session, rewrite
from lucid_proof.tlogproof import TlogProof

OTHER = SESSION[:-4] + "0000"
INTERIM, CLOSE = 1, 3
"""Places of records in `session`: begin, interim after chunks 1 and 3, close after chunk 4."""


@pytest.fixture
def session():
    return a_session().with_chunks(5).closed()


@pytest.fixture
def bundle(session, tmp_path):
    return session.write(tmp_path / "true.lucid")


@pytest.fixture
def forge(bundle, session, tmp_path):
    """Apply a change to the members and judge the result with the true trust policy."""

    def forged(change):
        return verify(rewrite(bundle, tmp_path / "forged.lucid", change), session.policy)

    return forged


def assert_altered(report, where: str, message: str):
    assert report.verdict is Verdict.ALTERED
    found = [(each.where, each.message) for each in report.findings]
    assert any(where in place and message in said for place, said in found), found


def edit(members, name, change):
    members[name] = change(members[name])


def edit_line(members, name, number, change):
    lines = members[name].splitlines(keepends=True)
    value = decode(lines[number].rstrip(b"\n"))
    change(value)
    lines[number] = encode(value) + b"\n"
    members[name] = b"".join(lines)


def edit_leaf(members, number, change):
    value = decode(members[f"evidence/{number}.leaf"])
    change(value)
    members[f"evidence/{number}.leaf"] = encode(value)


def test_what_nobody_touched_is_complete(forge):
    report = forge(lambda _: None)
    assert (report.verdict, report.findings, report.chunks, report.records) == (Verdict.COMPLETE, (), 5, 4)


def test_a_changed_byte_in_a_chunk_is_altered_and_names_the_chunk(forge):
    def change(members):
        edit(members, "chunks/00000002.bin", lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:])

    assert_altered(forge(change), "chunk 2", "not those that were recorded")


def test_a_chunk_that_became_longer_is_altered(forge):
    def change(members):
        edit(members, "chunks/00000002.bin", lambda data: data + b"\0")

    assert_altered(forge(change), "chunk 2", "5001 bytes, and its record says 5000")


def test_the_last_chunk_removed_with_its_record_is_incomplete_and_names_it(forge):
    def change(members):
        del members["chunks/00000004.bin"]
        edit(members, "records.jsonl", lambda data: b"".join(data.splitlines(keepends=True)[:-1]))

    report = forge(change)
    assert report.verdict is Verdict.INCOMPLETE
    assert [(each.code, each.where) for each in report.findings] == [("gap", "chunk 4")]
    assert "the close record counts 5, here are 4" in report.findings[0].message


def test_a_chunk_removed_alone_is_incomplete_and_names_it(forge):
    report = forge(lambda members: members.pop("chunks/00000002.bin") and None)
    assert report.verdict is Verdict.INCOMPLETE
    assert [(each.code, each.where) for each in report.findings] == [("chunk-missing", "chunk 2")]


def test_a_chunk_removed_from_the_middle_and_the_rest_renumbered_is_altered(forge):
    def change(members):
        lines = members["records.jsonl"].splitlines(keepends=True)
        del lines[2]
        for place in (2, 3):
            members[f"chunks/0000000{place}.bin"] = members[f"chunks/0000000{place + 1}.bin"]
            record = decode(lines[place].rstrip(b"\n"))
            lines[place] = encode(record | {"index": place}) + b"\n"
        del members["chunks/00000004.bin"]
        members["records.jsonl"] = b"".join(lines)

    assert_altered(forge(change), "chunks 2–3", "not the ones that session record 2 anchored")


def test_two_chunks_swapped_are_altered_and_both_named(forge):
    def change(members):
        one, two = "chunks/00000001.bin", "chunks/00000002.bin"
        members[one], members[two] = members[two], members[one]

    report = forge(change)
    assert_altered(report, "chunk 1", "not those that were recorded")
    assert_altered(report, "chunk 2", "not those that were recorded")


def test_two_chunks_swapped_with_their_records_are_altered(forge):
    def change(members):
        one, two = "chunks/00000001.bin", "chunks/00000002.bin"
        members[one], members[two] = members[two], members[one]
        lines = members["records.jsonl"].splitlines(keepends=True)
        first, second = (decode(line.rstrip(b"\n")) for line in lines[1:3])
        for key in ("sha256", "pieces", "size"):
            first[key], second[key] = second[key], first[key]
        lines[1:3] = [encode(first) + b"\n", encode(second) + b"\n"]
        members["records.jsonl"] = b"".join(lines)

    assert_altered(forge(change), "chunks 0–1", "the roots differ")


def test_a_chunk_of_another_session_is_altered(forge):
    stranger = a_session(session=OTHER).with_chunks(5)

    def change(members):
        members["chunks/00000002.bin"] = stranger.chunks[2][1]

    assert_altered(forge(change), "chunk 2", "not those that were recorded")


def test_a_chunk_of_another_session_with_its_record_is_altered(forge):
    stranger = a_session(session=OTHER).with_chunks(5)

    def change(members):
        members["chunks/00000002.bin"] = stranger.chunks[2][1]
        lines = members["records.jsonl"].splitlines(keepends=True)
        lines[2] = stranger.chunks[2][0].bytes() + b"\n"
        members["records.jsonl"] = b"".join(lines)

    assert_altered(forge(change), "records.jsonl line 3", f"of the session {OTHER}")


def test_a_chunk_that_nobody_recorded_is_altered(forge):
    def change(members):
        return {
            name: content
            for each, data in members.items()
            for name, content in (
                [("chunks/00000005.bin", b"more"), (each, data)]
                if each == "records.jsonl"
                else [(each, data)]
            )
        }

    assert_altered(forge(change), "chunks/00000005.bin", "without a record")


def test_a_chunk_added_with_a_record_after_the_close_is_altered(forge, session):
    session.chunk(b"made up")

    def change(members):
        added = {}
        for name, content in members.items():
            if name == "records.jsonl":
                added["chunks/00000005.bin"] = b"made up"
                content += session.chunks[5][0].bytes() + b"\n"
            added[name] = content
        return added

    assert_altered(forge(change), "chunk 5", "no session record covers")


@pytest.mark.parametrize("member", ["from", "to"])
def test_a_changed_time_in_a_chunk_record_is_altered(forge, member):
    def change(members):
        edit_line(members, "records.jsonl", 3, lambda record: record.update({member: record[member] + 1}))

    assert_altered(forge(change), "chunks 2–3", "the roots differ")


def test_a_record_whose_piece_root_is_not_that_of_its_chunk_is_altered(tmp_path):
    made = a_session()
    made.with_chunks(1)
    record, data = made.chunks[0]
    made.chunks[0] = (replace(record, pieces=b"\0" * 32), data)
    made.closed()
    assert_altered(verify(made.write(tmp_path / "a"), made.policy), "chunk 0", "4,096-byte pieces")


def test_chunk_records_out_of_order_are_altered(forge):
    def change(members):
        lines = members["records.jsonl"].splitlines(keepends=True)
        members["records.jsonl"] = b"".join([lines[1], lines[0], *lines[2:]])

    assert_altered(forge(change), "records.jsonl line 1", "the record of chunk 1 stands where 0 should")


def test_a_forged_close_is_altered(forge):
    def change(members):
        edit_leaf(members, CLOSE, lambda leaf: leaf["body"].update({"chunks": 4}))

    assert_altered(forge(change), "session record 3", "signature does not verify")


def test_a_close_signed_by_another_key_is_altered(forge, session):
    body = session.records[CLOSE][0].body | {"outcome": "closed"}
    forged = build_transaction(records.CLOSE, body, ORIGIN, a_key("attacker"))

    def change(members):
        members["evidence/3.leaf"] = forged.bytes()

    assert_altered(forge(change), "session record 3", "signed by another key than the begin record")


def test_a_close_of_the_recorder_that_never_reached_the_log_is_altered(tmp_path):
    made = a_session().with_chunks(2)
    body = made.common() | made.state() | {"outcome": "closed", "reason": "user-left"}
    running = made.write(tmp_path / "running.lucid")
    withheld = build_transaction(records.CLOSE, body, ORIGIN, made.recorder)

    def change(members):
        added = {}
        for name, content in members.items():
            if name == "blocks.jsonl":
                added["evidence/2.leaf"] = withheld.bytes()
                added["evidence/2.tlog-proof"] = members["evidence/1.tlog-proof"]
            added[name] = content
        return added

    report = verify(rewrite(running, tmp_path / "forged.lucid", change), made.policy)
    assert_altered(report, "session record 2", "leads to another root")


def test_a_bundle_in_progress_is_incomplete_and_cannot_pose_as_complete(tmp_path):
    made = a_session().with_chunks(4)
    running = made.write(tmp_path / "running.lucid")
    report = verify(running, made.policy)
    assert report.verdict is Verdict.INCOMPLETE
    assert [each.code for each in report.findings] == ["in-progress"]
    assert report.closed_ms is None

    def pose(members):
        body = made.records[-1][0].body
        closing = {key: value for key, value in body.items() if key != "event"}
        closing |= {"outcome": "closed", "reason": "user-left"}
        edit_leaf(members, 2, lambda leaf: leaf.update({"kind": records.CLOSE, "body": closing}))

    assert_altered(
        verify(rewrite(running, tmp_path / "posing.lucid", pose), made.policy), "session record 2", "verify"
    )


def test_a_session_that_only_began_is_in_progress(tmp_path):
    made = a_session()
    report = verify(made.write(tmp_path / "a"), made.policy)
    assert (report.verdict, report.chunks) == (Verdict.INCOMPLETE, 0)
    assert "no close record" in report.findings[0].message


def test_an_abandoned_session_is_incomplete_and_says_so(tmp_path):
    made = a_session().with_chunks(2).closed("abandoned", "recorder-died")
    report = verify(made.write(tmp_path / "a"), made.policy)
    assert report.verdict is Verdict.INCOMPLETE
    assert "abandoned" in report.findings[0].message
    assert "recorder-died" in report.findings[0].message


def drop_record(members, dropped):
    kept, number = {}, 0
    for name, content in members.items():
        if name.startswith(f"evidence/{dropped}."):
            continue
        if name.startswith("evidence/"):
            old, _, suffix = name.removeprefix("evidence/").partition(".")
            number = int(old) - (int(old) > dropped)
            name = f"evidence/{number}.{suffix}"
        kept[name] = content
    return kept


def test_a_dropped_interim_is_altered(forge):
    report = forge(lambda members: drop_record(members, INTERIM))
    assert_altered(report, "session record 1", "its seq is 2; a record is missing")


def test_a_dropped_begin_is_altered(forge):
    assert_altered(forge(lambda members: drop_record(members, 0)), "session record 0", "one begin record")


def test_no_session_records_at_all_is_altered(session, bundle, tmp_path):
    def change(members):
        kept = {name: content for name, content in members.items() if not name.startswith("evidence/")}
        origin = session.log.origin
        kept["manifest.json"] = layout.manifest(session.session, origin, 5, 0, {})
        return kept

    report = verify(rewrite(bundle, tmp_path / "f", change), session.policy)
    assert_altered(report, "evidence", "no begin record")


def test_two_records_in_each_others_place_are_altered(forge):
    def change(members):
        for suffix in ("leaf", "tlog-proof"):
            one, two = f"evidence/1.{suffix}", f"evidence/2.{suffix}"
            members[one], members[two] = members[two], members[one]

    assert_altered(forge(change), "session record 1", "its seq is 2")


def test_a_record_with_the_proof_of_another_is_altered(forge):
    def change(members):
        members["evidence/1.tlog-proof"] = members["evidence/2.tlog-proof"]

    assert_altered(forge(change), "session record 1", "another root")


def test_a_record_of_another_session_in_the_same_log_is_altered(tmp_path):
    log = TestLog()
    mine = a_session(log).with_chunks(2)
    other = a_session(log, OTHER).with_chunks(2).closed()
    mine.closed()
    path = mine.write(tmp_path / "a")

    def change(members):
        record, index = other.records[2]
        members["evidence/2.leaf"] = record.bytes()
        proof = TlogProof(index, log.path(index), members["checkpoint"])
        members["evidence/2.tlog-proof"] = proof.encode()

    report = verify(rewrite(path, tmp_path / "b", change), mine.policy)
    assert_altered(report, "session record 2", f"of the session {OTHER}")


def test_a_proof_for_another_size_is_altered(forge, session):
    def change(members):
        index = session.records[1][1]
        short = session.log.tree.inclusion(index, index + 1)
        members["evidence/1.tlog-proof"] = TlogProof(index, short, members["checkpoint"]).encode()

    assert_altered(forge(change), "session record 1", "path")


def test_a_proof_with_extra_data_is_altered(forge, session):
    def change(members):
        index = session.records[1][1]
        proof = TlogProof(index, session.log.path(index), members["checkpoint"], b"note to the reader")
        members["evidence/1.tlog-proof"] = proof.encode()

    assert_altered(forge(change), "session record 1", "extra data")


def test_a_proof_with_another_checkpoint_is_altered(forge, session):
    def change(members):
        proof = TlogProof.parse(members["evidence/1.tlog-proof"])
        older = session.log.checkpoint(5)
        members["evidence/1.tlog-proof"] = TlogProof(proof.index, proof.path, older).encode()

    assert_altered(forge(change), "session record 1", "another checkpoint")


def test_a_checkpoint_older_than_the_evidence_is_altered(session, tmp_path):
    older = session.log.checkpoint(session.log.tree.size - 2)
    report = verify(session.write(tmp_path / "a", older), session.policy)
    assert_altered(report, "blocks.jsonl line", "leaves")


def test_a_header_proved_at_another_index_is_altered(forge, session):
    def change(members):
        edit_line(members, "blocks.jsonl", 1, lambda block: block["header"].update(log_size=0, txs=0))

    assert_altered(forge(change), "blocks.jsonl line 2", "another root")


def test_a_header_with_the_proof_of_another_is_altered(forge, session):
    def change(members):
        proof = [each.hex() for each in session.log.proved(1).path]
        edit_line(members, "blocks.jsonl", 2, lambda block: block.update(proof=proof))

    assert_altered(forge(change), "blocks.jsonl line 3", "root")


def test_a_changed_block_time_is_altered(forge):
    def change(members):
        edit_line(members, "blocks.jsonl", 2, lambda block: block["header"].update(time=1))

    assert_altered(forge(change), "blocks.jsonl line 3", "another root")


def test_a_block_left_out_is_altered(forge):
    def change(members):
        lines = members["blocks.jsonl"].splitlines(keepends=True)
        members["blocks.jsonl"] = b"".join(lines[:-1])

    assert_altered(forge(change), "session record 3", "the block that anchors it")


def test_a_block_that_nothing_names_is_altered(bundle, session, tmp_path):
    session.log.block([])
    session.log.block([])
    path = session.write(tmp_path / "b")

    def change(members):
        members["blocks.jsonl"] += session.log.proved(len(session.log.headers) - 1).line()

    report = verify(rewrite(path, tmp_path / "c", change), session.policy)
    assert_altered(report, "blocks.jsonl", "nothing in the bundle names block 6")


def test_an_unnamed_block_before_all_others_is_altered(tmp_path):
    log = TestLog()
    log.block([])
    made = a_session(log).with_chunks(1).closed()

    def change(members):
        members["blocks.jsonl"] = log.proved(0).line() + members["blocks.jsonl"]

    report = verify(rewrite(made.write(tmp_path / "a"), tmp_path / "b", change), made.policy)
    assert_altered(report, "blocks.jsonl", "nothing in the bundle names block 0")


def test_a_changed_byte_in_a_bundle_of_many_megabytes_is_altered_and_names_the_chunk(tmp_path):
    made = a_session().with_chunks(4, size=1_500_000).closed()
    path = made.write(tmp_path / "a")
    assert verify(path, made.policy).verdict is Verdict.COMPLETE

    def change(members):
        edit(members, "chunks/00000003.bin", lambda data: data[:-1] + bytes([data[-1] ^ 1]))

    assert_altered(verify(rewrite(path, tmp_path / "b", change), made.policy), "chunk 3", "not those")


def test_blocks_out_of_order_are_altered(forge):
    def change(members):
        lines = members["blocks.jsonl"].splitlines(keepends=True)
        members["blocks.jsonl"] = b"".join(lines[::-1])

    assert_altered(forge(change), "blocks.jsonl line 2", "height")


def test_another_log_is_not_anchored(session, bundle):
    other = TestLog("lucid.local/other").policy()
    report = verify(bundle, other)
    assert report.verdict is Verdict.NOT_ANCHORED
    assert ORIGIN in report.findings[0].message


def test_the_same_origin_with_other_keys_is_not_anchored(bundle):
    impostor = TestLog(keys="of an impostor").policy()
    report = verify(bundle, impostor)
    assert report.verdict is Verdict.NOT_ANCHORED
    assert "lacks the signature of the log's key" in report.findings[0].message


def test_without_a_policy_nothing_is_anchored_and_the_keys_are_named(bundle, session):
    report = verify(bundle)
    assert report.verdict is Verdict.NOT_ANCHORED
    said = report.findings[0].message
    assert ORIGIN in said
    assert session.log.log_key.verifier.id.hex() in said
    assert f"{ORIGIN}/validator-3" in said


def test_without_a_policy_what_is_altered_is_still_altered(bundle, tmp_path):
    def change(members):
        members["chunks/00000000.bin"] = bytes(5000)

    assert verify(rewrite(bundle, tmp_path / "b", change)).verdict is Verdict.ALTERED


def test_a_recorder_that_the_policy_does_not_list_is_not_anchored(bundle, session):
    report = verify(bundle, session.log.policy(recorders=frozenset({b"k" * 32})))
    assert report.verdict is Verdict.NOT_ANCHORED
    assert session.records[0][0].key.hex() in report.findings[0].message
    listed = session.log.policy(recorders=frozenset({session.records[0][0].key}))
    assert verify(bundle, listed).verdict is Verdict.COMPLETE


def test_a_checkpoint_signed_again_by_an_unknown_key_is_not_anchored(session, tmp_path):
    impostor = TestLog(keys="of an impostor")
    text = Note.parse(session.log.checkpoint()).text
    path = session.write(tmp_path / "a", sign(text, [impostor.log_key, *impostor.witnesses], 1))
    assert verify(path, session.policy).verdict is Verdict.NOT_ANCHORED


def test_a_false_signature_in_the_logs_name_is_altered(session, tmp_path):
    true = Note.parse(session.log.checkpoint())
    other = Note.parse(session.log.checkpoint(3))
    forged = Note(true.text, other.signatures).bytes()
    report = verify(session.write(tmp_path / "a", forged), session.policy)
    assert_altered(report, "checkpoint", "does not verify")


def test_cosignatures_below_the_quorum_are_not_anchored(session, tmp_path):
    path = session.write(tmp_path / "a", session.log.checkpoint(witnesses=session.log.witnesses[:1]))
    report = verify(path, session.policy)
    assert report.verdict is Verdict.NOT_ANCHORED
    assert "1 of the trust policy's witnesses cosigned it, and 2 must" in report.findings[0].message


def test_a_checkpoint_that_is_no_note_is_altered(forge):
    def change(members):
        members["checkpoint"] = b"lucid.local/testing\n"

    assert_altered(forge(change), "checkpoint", "signature lines")


def test_a_session_of_another_chain_is_altered(tmp_path):
    """Records that were signed for one chain and put into another's log."""
    log = TestLog()
    foreign = a_session(TestLog("lucid.local/other"))
    made = a_session(log)
    made.records.clear()
    made.anchors.clear()
    made.anchor(foreign.records[0][0])
    report = verify(made.write(tmp_path / "a"), log.policy())
    assert_altered(report, "session record 0", "of the chain 'lucid.local/other'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda says: says.update(chunks=4), "'chunks'"),
        (lambda says: says.update(records=9), "'records'"),
        (lambda says: says.update(origin="lucid.local/other"), "'origin'"),
        (lambda says: says.update(session=OTHER), "'session'"),
        (lambda says: says.update(format="lucid-bundle/2"), "'format'"),
        (lambda says: says.update(more=1), "'more'"),
        (lambda says: says.pop("chunks"), "'chunks'"),
        (lambda says: says["files"]["checkpoint"].update(size=1), "'checkpoint'"),
        (lambda says: says["files"].update({"evil": {}}), "'evil'"),
        (lambda says: says["files"].pop("blocks.jsonl"), "'blocks.jsonl'"),
        (lambda says: says.update(files=[]), "'files'"),
    ],
)
def test_a_manifest_that_does_not_describe_the_file_is_altered(forge, change, message):
    def forged(members):
        says = json.loads(members["manifest.json"])
        change(says)
        members["manifest.json"] = encode(says)

    assert_altered(forge(forged), "manifest.json", message)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 5000, b'{"chunks": 5}', b"1" * 9000])
def test_a_manifest_that_is_none_is_altered(forge, content):
    def change(members):
        members["manifest.json"] = content

    assert_altered(forge(change), "manifest.json", "manifest")


@pytest.mark.parametrize(
    "name", ["records.jsonl", "blocks.jsonl", "evidence/0.leaf", "evidence/1.tlog-proof"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\xff\xfe\n",
        b"[" * 8000 + b"\n",
        b'{"a":' * 1600 + b"\n",
        b"1" * 8000 + b"\n",
        b"{}\n",
        b"null\n",
    ],
)
def test_garbage_in_place_of_a_member_is_never_complete(forge, name, content):
    report = forge(lambda members: members.update({name: content}))
    assert report.verdict in (Verdict.ALTERED, Verdict.INCOMPLETE)
    assert report.findings[0].message


def test_a_line_without_end_is_altered(forge):
    assert_altered(
        forge(lambda members: edit(members, "records.jsonl", lambda data: data[:-1])),
        "records.jsonl",
        "newline",
    )
    assert_altered(
        forge(lambda members: members.update({"records.jsonl": b"x" * 300_000})),
        "records.jsonl line 1",
        "longer",
    )


def test_hundreds_of_findings_are_summed_up(tmp_path):
    made = a_session().with_chunks(120, size=10).closed()
    path = made.write(tmp_path / "a")

    def change(members):
        for number in range(120):
            members[f"chunks/{number:08d}.bin"] = bytes(10)

    report = verify(rewrite(path, tmp_path / "b", change), made.policy)
    assert len(report.findings) == 51
    assert report.findings[-1].message.startswith("70 more")
