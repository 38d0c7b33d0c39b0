"""Receipts: did the log keep the promise it gave when the session was created?"""

import http.server
import json
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lucid_proof import logsource, records
from lucid_proof.errors import LogUnreadable, MalformedReceipt
from lucid_proof.receipt import Answer, Receipt, check, verify
from lucid_proof.records import build_transaction
from lucid_proof.testing import BLOCK_MS, TestLog, a_key, a_session


def promised(log: TestLog, session=None, within_ms: int = 60_000):
    """A begin record and its receipt; nothing is in the log yet."""
    made = session or a_session(TestLog())
    body = made.records[0][0].body | {
        "anchor_within_ms": within_ms,
        "seen": log.newest.seen().to_json(),
        "time": log.newest.time_ms + 500,
    }
    record = build_transaction(records.BEGIN, body, log.origin, made.recorder)
    return record, Receipt(record, log.log_key.verifier)


@pytest.fixture
def log():
    made = TestLog()
    for _ in range(40):
        made.block([])
    return made


def judged(receipt, log, trust=None):
    return verify(receipt, log.files().__getitem__, trust)


def test_a_record_anchored_in_time_is_kept(log):
    record, receipt = promised(log)
    index = log.tree.size
    anchor = log.block([record])
    for _ in range(30):
        log.block([])
    for trust in (None, log.policy()):
        report = judged(receipt, log, trust)
        assert (report.answer, report.index, report.height) == (Answer.KEPT, index, anchor.height)
        assert (report.anchored_ms, report.due_ms) == (anchor.time_ms, record.time_ms + 60_000)


def test_a_record_among_hundreds_of_blocks_and_transactions_is_found(log):
    record, receipt = promised(log)
    others = [
        a_session(TestLog(), f"ses_01927b6e4f5a7c3d8e9f0a1b2c3d{n:04x}").records[0][0] for n in range(300)
    ]
    log.block([*others[:150], record, *others[150:]])
    for _ in range(300):
        log.block([])
    assert judged(receipt, log).answer is Answer.KEPT


def test_a_record_anchored_much_too_late_is_broken(log):
    record, receipt = promised(log, within_ms=20_000)
    for _ in range(5):
        log.block([])
    log.block([record])
    # Blocks after the first that is too late are not searched: the promise is broken either way.
    assert judged(receipt, log).answer is Answer.BROKEN


def test_a_record_in_the_first_block_after_its_time_is_broken_and_says_how_late(log):
    record, receipt = promised(log, within_ms=5_000)
    log.block([record])
    report = judged(receipt, log)
    assert (report.answer, report.height) == (Answer.BROKEN, log.newest.height)
    assert report.detail == f"the record was anchored {BLOCK_MS - 5_500} ms too late"


def test_a_record_exactly_in_time_is_kept(log):
    record, receipt = promised(log, within_ms=BLOCK_MS - 500)
    log.block([record])
    assert judged(receipt, log).answer is Answer.KEPT


def test_a_record_that_never_came_is_broken(log):
    _, receipt = promised(log)
    for _ in range(10):
        log.block([])
    report = judged(receipt, log)
    assert report.answer is Answer.BROKEN
    assert "not in the log" in report.detail


def test_a_record_whose_time_is_not_over_is_not_yet_due(log):
    _, receipt = promised(log)
    log.block([])
    assert judged(receipt, log).answer is Answer.NOT_YET_DUE


def test_a_copy_of_the_log_from_before_the_receipt_is_not_yet_due(log):
    older = log.files()
    log.block([])
    _, receipt = promised(log)
    assert verify(receipt, older.__getitem__).answer is Answer.NOT_YET_DUE


def test_an_empty_log_is_not_yet_due(log):
    _, receipt = promised(log)
    empty = {"checkpoint": log.checkpoint(0)}
    assert verify(receipt, empty.__getitem__).answer is Answer.NOT_YET_DUE


def test_a_log_that_was_forked_is_broken(log):
    record, receipt = promised(log)
    fork = TestLog()
    for number in range(45):
        fork.block([], time_ms=fork.newest.time_ms + BLOCK_MS - number % 2)
    fork.block([record])
    report = judged(receipt, fork)
    assert report.answer is Answer.BROKEN
    assert "forked or replaced" in report.detail


def test_another_log_or_an_untrusted_one_is_not_that_log(log):
    record, receipt = promised(log)
    log.block([record])
    impostor = TestLog(keys="of an impostor")
    assert verify(receipt, impostor.files().__getitem__).answer is Answer.NOT_THAT_LOG
    assert judged(receipt, log, impostor.policy()).answer is Answer.NOT_THAT_LOG
    assert judged(receipt, log, TestLog("lucid.local/other").policy()).answer is Answer.NOT_THAT_LOG
    strangers = log.policy(recorders=frozenset({b"k" * 32}))
    assert "recorder key" in judged(receipt, log, strangers).detail
    alone = log.files() | {"checkpoint": log.checkpoint(witnesses=[])}
    assert verify(receipt, alone.__getitem__, log.policy()).answer is Answer.NOT_THAT_LOG


def test_a_log_with_a_false_checkpoint_signature_is_not_that_log(log):
    record, receipt = promised(log)
    log.block([record])
    mixed = log.checkpoint().split(b"\n\n")[0] + b"\n\n" + log.checkpoint(3).split(b"\n\n")[1]
    assert verify(receipt, (log.files() | {"checkpoint": mixed}).__getitem__).answer is Answer.NOT_THAT_LOG


@pytest.mark.parametrize(
    "damage",
    [
        lambda files: files.update(checkpoint=b"no note"),
        lambda files: files.pop("tile/entries/000.p/42"),
        lambda files: files.update({"tile/entries/000.p/42": bytes(500)}),
        lambda files: files.update({"tile/0/000.p/42": bytes(42 * 32)}),
    ],
)
def test_a_log_that_cannot_be_read_is_said_so(log, damage):
    record, receipt = promised(log)
    log.block([record])
    files = log.files()
    renamed = {name.replace(f".p/{len(log.leaves)}", ".p/42"): content for name, content in files.items()}
    damage(renamed)
    served = {name.replace(".p/42", f".p/{len(log.leaves)}"): content for name, content in renamed.items()}
    with pytest.raises(LogUnreadable):
        verify(receipt, served.__getitem__)


def test_a_log_whose_last_leaf_is_no_header_cannot_be_read(log):
    record, receipt = promised(log)
    log._append(record.bytes())
    with pytest.raises(LogUnreadable, match="ends with a block's header"):
        judged(receipt, log)


def test_a_header_that_does_not_stand_where_it_says_cannot_be_believed(log):
    _, receipt = promised(log)
    log._append(replace(log.newest, log_size=3, txs=0).bytes())
    with pytest.raises(LogUnreadable, match="does not stand where it says"):
        judged(receipt, log)


def test_a_receipt_is_read_as_it_is_written(log):
    _, receipt = promised(log)
    assert Receipt.parse(receipt.bytes()) == receipt
    assert Receipt.parse(receipt.bytes() + b"\n") == receipt


@pytest.mark.parametrize(
    "damage",
    [
        lambda says: says.update(format="lucid-receipt/2"),
        lambda says: says.update(more=1),
        lambda says: says.pop("log"),
        lambda says: says.update(log="nonsense"),
        lambda says: says["record"]["body"].update(time=1),
        lambda says: says["record"].update(sig="00" * 64),
        lambda says: says.update(record=None),
    ],
)
def test_a_damaged_receipt_is_refused(log, damage):
    _, receipt = promised(log)
    says = json.loads(receipt.bytes())
    damage(says)
    with pytest.raises(MalformedReceipt):
        Receipt.parse(json.dumps(says, separators=(",", ":"), sort_keys=True).encode())


def test_a_receipt_promises_a_begin_record_of_a_log(log):
    session = a_session().closed()
    with pytest.raises(MalformedReceipt, match="not a begin record"):
        Receipt(session.records[1][0], log.log_key.verifier)
    with pytest.raises(MalformedReceipt, match="0x01"):
        Receipt(session.records[0][0], log.witnesses[0].verifier)
    with pytest.raises(MalformedReceipt, match="larger"):
        Receipt.parse(b" " * 70_000)


@pytest.fixture
def kept(log, tmp_path):
    """A kept receipt on disk and the directory of its log."""
    record, receipt = promised(log)
    log.block([record])
    path = tmp_path / "receipt.json"
    path.write_bytes(receipt.bytes())
    return path, log.store(tmp_path / "log")


def test_a_log_is_read_from_a_directory(kept):
    path, directory = kept
    assert check(path, str(directory)).answer is Answer.KEPT


@pytest.fixture
def served(kept):
    """The log's URL on a loopback server."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path.startswith("/broken/"):
                self.send_error(500)
            elif self.path.startswith("/away/"):
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
                self.end_headers()
            else:
                super().do_GET()

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(kept[1]))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_log_is_read_from_a_url(kept, served):
    assert check(kept[0], served).answer is Answer.KEPT
    assert check(kept[0], served + "/").answer is Answer.KEPT


@pytest.mark.parametrize("below", ["/missing", "/broken", "/away"])
def test_a_url_that_serves_no_log_is_unusable(kept, served, below):
    report = check(kept[0], served + below)
    assert report.answer is Answer.UNUSABLE
    assert "the log cannot be read" in report.detail


@pytest.mark.parametrize("source", ["file:///etc", "ftp://x/", "http://127.0.0.1:1", "http://[", "/nowhere"])
def test_a_source_that_is_none_is_unusable(kept, source):
    assert check(kept[0], source).answer is Answer.UNUSABLE


def test_a_receipt_that_is_no_file_is_unusable(tmp_path):
    for path in (tmp_path / "missing", tmp_path, Path("/dev/zero")):
        assert check(path, str(tmp_path)).answer is Answer.UNUSABLE


def test_reading_a_log_ends_after_so_many_seconds_and_bytes(kept, monkeypatch):
    times = iter([0.0, 1.0, 121.0])
    fetch = logsource.open_log(str(kept[1]), clock=lambda: next(times))
    fetch("checkpoint")
    with pytest.raises(LogUnreadable, match="too much"):
        fetch("checkpoint")
    monkeypatch.setattr(logsource, "MAX_BYTES", 10)
    with pytest.raises(LogUnreadable, match="too much"):
        logsource.open_log(str(kept[1]))("checkpoint")


def test_what_a_directory_cannot_give_is_unreadable(kept, monkeypatch):
    monkeypatch.setattr(
        Path, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    with pytest.raises(LogUnreadable, match="Permission denied"):
        logsource.open_log(str(kept[1]))("checkpoint")


def test_keys_follow_from_names():
    assert a_key("x").private_bytes_raw() != a_key("y").private_bytes_raw()
