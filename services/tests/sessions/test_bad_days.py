"""Bad days, all of them real: what dies, fills up, or runs backwards, and what the session then says."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lucid_kit import tokens
from lucid_kit.clock import ManualClock, SystemClock
from lucid_proof import Report, Verdict, verify
from lucid_proof.trust import TrustPolicy

from .plant import Plant

pytestmark = pytest.mark.real

QUICK: dict[str, Any] = {"chunk_ms": 300, "keyframe_ms": 1000, "interim_s": 0.5, "linger_s": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One chain and one set of displays."""
    plant = Plant(tmp_path_factory.mktemp("bad"), block_ms=250)
    plant.start_chain()
    plant.start_desks()
    yield plant
    plant.close()


@pytest.fixture
def plant(base: Plant, tmp_path: Path) -> Iterator[Plant]:
    """A data directory of its own."""
    base.data = tmp_path
    yield base
    if base.service is not None:
        base.service.stop()


def judge(plant: Plant, id_: str) -> Report:
    return verify(plant.export(id_), TrustPolicy.load(plant.trust))


def incomplete_but_unaltered(plant: Plant, id_: str) -> None:
    report = judge(plant, id_)
    assert report.verdict is Verdict.INCOMPLETE, report.findings
    assert [finding.code for finding in report.findings] == ["abandoned"]
    assert report.chunks == plant.show(id_)["chunks_acknowledged"]


def test_a_desktop_whose_recorder_dies_is_cut(plant: Plant) -> None:
    plant.start(**QUICK)
    id_ = plant.create()["id"]
    plant.recorded(id_, 2)
    (recorder,) = plant.recorders()
    os.kill(recorder, signal.SIGKILL)
    shown = plant.anchored(id_)
    assert (shown["state"], shown["reason"], shown["verdict"]) == ("abandoned", "recorder-died", "abandoned")
    assert plant.desk_sessions() == []
    incomplete_but_unaltered(plant, id_)


def test_a_desktop_that_may_go_on_unrecorded_says_so(plant: Plant) -> None:
    plant.start(**QUICK)
    id_ = plant.create(on_failure="mark")["id"]
    plant.recorded(id_, 1)
    (recorder,) = plant.recorders()
    os.kill(recorder, signal.SIGKILL)
    shown = plant.until(id_, lambda now: now["state"] == "unrecorded" and now["anchored"])
    assert shown["verdict"] == "abandoned"
    assert plant.desk_sessions() == [id_]
    assert plant.call("POST", f"/sessions/{id_}/pause").json()["code"] == "LUCID_ERR_4300"
    stopped = plant.ok("POST", f"/sessions/{id_}/stop")
    assert (stopped["state"], stopped["reason"]) == ("abandoned", "recorder-died")
    assert plant.desk_sessions() == []
    incomplete_but_unaltered(plant, id_)


def test_a_display_that_dies_leaves_an_abandoned_session(plant: Plant) -> None:
    plant.start(**QUICK)
    id_ = plant.create()["id"]
    plant.recorded(id_, 1)
    plant.desk(id_, "crash")
    shown = plant.anchored(id_)
    assert (shown["state"], shown["reason"]) == ("abandoned", "xorg-died")
    incomplete_but_unaltered(plant, id_)


def test_a_desktop_that_its_server_forgot_is_lost(plant: Plant) -> None:
    plant.start(**QUICK)
    id_ = plant.create()["id"]
    plant.recorded(id_, 1)
    plant.desk(id_, "gone")
    assert plant.anchored(id_)["state"] == "abandoned"


def test_sessions_go_on_while_the_chain_is_down_and_anchoring_catches_up(base: Plant, tmp_path: Path) -> None:
    base.data = tmp_path
    base.start(**QUICK)
    assert base.chain is not None
    id_ = base.create()["id"]
    base.until(id_, lambda now: now["begin_anchored"])
    base.chain.stop(signal.SIGKILL)
    other = base.create()["id"]
    base.recorded(id_, 4)
    base.recorded(other, 2)
    assert base.ok("GET", "/sessions/statistics")["chain_away_ms"] > 0
    for each in (id_, other):
        stopped = base.ok("POST", f"/sessions/{each}/stop")
        assert (stopped["state"], stopped["anchored"], stopped["verdict"]) == ("closed", False, "in_progress")
    assert base.call("GET", f"/sessions/{other}/proof").json()["code"] == "LUCID_ERR_4301"
    assert base.ok("GET", "/sessions/statistics")["oldest_pending_ms"] > 0
    base.start_chain()
    for each in (id_, other):
        shown = base.anchored(each)
        assert shown["verdict"] == "complete"
        assert shown["anchoring_delay_ms"] > 0
        assert judge(base, each).verdict is Verdict.COMPLETE
    assert base.service is not None
    base.service.stop()


def test_before_any_block_was_seen_no_session_begins(plant: Plant) -> None:
    plant.start(**QUICK, chain_url="http://127.0.0.1:9")
    refused = plant.call("POST", "/sessions", json={})
    assert (refused.status_code, refused.json()["code"]) == (503, "LUCID_ERR_5300")
    assert plant.call("GET", "/ready").status_code == 503


def test_without_a_desktop_service_the_session_is_abandoned(plant: Plant) -> None:
    plant.start(**QUICK, rdp_url="http://127.0.0.1:9")
    refused = plant.call("POST", "/sessions", json={}, headers={"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json()["code"]) == (503, "LUCID_ERR_5302")
    (row,) = plant.ok("GET", "/sessions")["sessions"]
    assert (row["state"], row["reason"]) == ("abandoned", "not-started-lucid-err-5007")
    assert plant.recorders() == []


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    """A file system of its own at `path`."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def remount(path: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


def test_a_full_object_store_holds_up_nothing_but_uploads(plant: Plant) -> None:
    blobs = plant.data / "blobs"
    with small_disk(blobs, "8k"):
        plant.start(**QUICK)
        id_ = plant.create()["id"]
        plant.recorded(id_, 5)
        plant.ok("POST", f"/sessions/{id_}/stop")
        shown = plant.anchored(id_)
        assert shown["state"] == "closed"
        assert shown["chunks_stored"] < shown["chunks_acknowledged"]
        waiting = plant.ok("GET", f"/sessions/{id_}/pipeline")["waiting"]
        assert "No room" in waiting[0]["fault"]
        assert judge(plant, id_).verdict is Verdict.COMPLETE
        remount(blobs, "size=64m")
        plant.until(id_, lambda now: now["archived"])
        assert judge(plant, id_).verdict is Verdict.COMPLETE
        assert plant.service is not None
        plant.service.stop()


def test_a_read_only_object_store_holds_up_nothing_but_uploads(plant: Plant) -> None:
    blobs = plant.data / "blobs"
    with small_disk(blobs, "64m"):
        plant.start(**QUICK)
        remount(blobs, "ro")
        id_ = plant.create()["id"]
        plant.recorded(id_, 3)
        plant.ok("POST", f"/sessions/{id_}/stop")
        shown = plant.anchored(id_)
        assert (shown["state"], shown["chunks_stored"], shown["chunks_dead"]) == ("closed", 0, 0)
        remount(blobs, "rw")
        plant.until(id_, lambda now: now["archived"])
        assert plant.service is not None
        plant.service.stop()


def test_a_chunk_that_cannot_be_stored_is_a_dead_letter_until_someone_retries(plant: Plant) -> None:
    plant.start(**QUICK, upload_attempts=2)
    id_ = plant.create()["id"]
    plant.ok("POST", f"/sessions/{id_}/pipeline/pause")
    plant.recorded(id_, 4)
    stored = plant.show(id_)["chunks_stored"]
    spool = plant.data / "sessions" / "spool" / id_ / "chunks"
    victim = spool / f"{stored + 1:08d}.bin"
    plant.ok("POST", f"/sessions/{id_}/stop")
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + b"\0")
    plant.ok("POST", f"/sessions/{id_}/pipeline/resume")
    shown = plant.until(
        id_, lambda now: now["chunks_dead"] == 1 and now["chunks_stored"] == now["chunks_acknowledged"] - 1
    )
    assert not shown["archived"]
    (dead,) = plant.ok("GET", f"/sessions/{id_}/pipeline")["waiting"]
    assert (dead["state"], dead["index"], dead["attempts"]) == ("dead", stored + 1, 2)
    assert "damaged" in dead["fault"]
    victim.write_bytes(whole)
    plant.ok("POST", f"/sessions/{id_}/pipeline/resume")
    plant.until(id_, lambda now: now["archived"])


def test_a_full_spool_cuts_the_desktop(plant: Plant) -> None:
    plant.start(**QUICK, spool_bytes=20_000)
    id_ = plant.create()["id"]
    plant.ok("POST", f"/sessions/{id_}/pipeline/pause")
    shown = plant.until(id_, lambda now: now["state"] == "abandoned")
    assert shown["reason"] == "spool-full"
    assert plant.desk_sessions() == []
    plant.anchored(id_)
    incomplete_but_unaltered(plant, id_)


def test_a_disk_that_fills_up_under_the_spool_loses_nothing_acknowledged(plant: Plant) -> None:
    home = plant.data / "sessions" / "spool"
    with small_disk(home, "128k"):
        plant.start(**QUICK)
        id_ = plant.create()["id"]
        plant.ok("POST", f"/sessions/{id_}/pipeline/pause")
        plant.recorded(id_, 1)
        filler = home / "filler"
        with suppress_full(), filler.open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        plant.until(id_, lambda _: plant.desk_sessions() == [])
        filler.unlink()
        shown = plant.anchored(id_)
        assert (shown["state"], shown["reason"]) == ("abandoned", "spool-full")
        incomplete_but_unaltered(plant, id_)
        assert plant.service is not None
        plant.service.stop()


@contextmanager
def suppress_full() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


def test_a_second_service_on_one_data_directory_is_refused(plant: Plant) -> None:
    first = plant.start(**QUICK)
    second = plant.start(ready=False, **QUICK)
    assert second.ended() == 1
    assert f"process {first.process.pid}" in plant.service_log()
    plant.service = first


def test_a_service_that_is_asked_to_end_closes_its_sessions(plant: Plant) -> None:
    service = plant.start(**QUICK)
    id_ = plant.create()["id"]
    plant.recorded(id_, 2)
    assert service.stop() == 0
    plant.start(**QUICK)
    shown = plant.anchored(id_)
    assert (shown["state"], shown["reason"], shown["verdict"]) == ("closed", "service-stopped", "complete")
    assert judge(plant, id_).verdict is Verdict.COMPLETE


def test_a_torn_journal_line_was_never_acknowledged(plant: Plant) -> None:
    service = plant.start(**QUICK)
    id_ = plant.create()["id"]
    shown = plant.recorded(id_, 2)
    (recorder,) = plant.recorders()
    service.process.send_signal(signal.SIGSTOP)
    os.kill(recorder, signal.SIGKILL)
    service.stop(signal.SIGKILL)
    with (plant.data / "sessions" / "spool" / id_ / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"from":17')
    plant.start(**QUICK)
    now = plant.anchored(id_)
    assert now["reason"] == "service-restarted"
    assert now["chunks_acknowledged"] >= shown["chunks_acknowledged"]
    incomplete_but_unaltered(plant, id_)


def test_no_desktop_outlives_a_service_that_was_killed(plant: Plant) -> None:
    service = plant.start(**QUICK)
    ids = [plant.create()["id"], plant.create(on_failure="mark")["id"]]
    for id_ in ids:
        plant.recorded(id_, 1)
    ended = plant.create()["id"]
    plant.ok("POST", f"/sessions/{ended}/stop")
    before = len(plant.service_log())
    service.stop(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while plant.desk_sessions():  # nobody starts the service again
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert plant.service_log()[before:].count("deadman: the session service is gone") == 2
    plant.start(**QUICK)
    for id_ in ids:
        assert plant.anchored(id_)["state"] == "abandoned"


def test_recovery_can_itself_be_interrupted(plant: Plant) -> None:
    service = plant.start(**QUICK)
    id_ = plant.create()["id"]
    plant.recorded(id_, 2)
    service.stop(signal.SIGKILL)
    for point in ("record-journalled", "session-closing", "session-settled"):
        again = plant.start(ready=False, fault=point, **QUICK)
        assert again.ended() == -signal.SIGKILL, point
    plant.start(**QUICK)
    plant.anchored(id_)
    incomplete_but_unaltered(plant, id_)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wrong_clock_makes_no_claim_that_the_chain_contradicts(plant: Plant, hours: int) -> None:
    long_ago = ManualClock(SystemClock().now_ms() - 2 * 3_600_000)
    plant.token = tokens.mint(plant.signing, "operator", ["*"], 6 * 3600, "lucid", "lucid", long_ago)
    before_ms = int(time.time() * 1000)
    wrong = plant.home / "clock"
    wrong.write_text(str(hours * 3_600_000))
    plant.start(**QUICK, prefix=["env", f"LUCID_FAULT_CLOCK={wrong}"])
    seen = plant.chain_height()
    while plant.chain_height() < seen + 3:  # until the chain was seen to go on
        time.sleep(0.05)
    id_ = plant.create()["id"]
    plant.recorded(id_, 3)
    plant.ok("POST", f"/sessions/{id_}/stop")
    plant.anchored(id_)
    report = judge(plant, id_)
    assert report.verdict is Verdict.COMPLETE, report.findings
    assert report.begun_ms is not None
    assert abs(report.begun_ms - before_ms) < 60_000
    plant.token = plant.mint("*")


def test_malformed_requests_are_problems(plant: Plant) -> None:
    plant.start(**QUICK)
    assert plant.service is not None
    for path, body in (
        ("/sessions", {"width": -1}),
        ("/sessions", {"width": "wide"}),
        ("/sessions", {"colour": "red"}),
        ("/sessions", {"on_failure": "hope"}),
        ("/sessions", {"name": "a\nb"}),
    ):
        answer = plant.call("POST", path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "LUCID_ERR_1000")
    for path in ("/sessions/ses_nothing", "/sessions/1", f"/sessions/ses_{'0' * 32}/proof"):
        assert plant.call("GET", path).status_code in (404, 422)
    unknown = f"/sessions/ses_{'0' * 12}7{'0' * 3}8{'0' * 15}"
    for suffix in (
        "",
        "/proof",
        "/frame",
        "/export",
        "/chunks",
        "/pipeline",
        "/statistics",
        "/history",
        "/receipt",
    ):
        answer = plant.call("GET", unknown + suffix)
        assert (answer.status_code, answer.json()["code"]) == (404, "LUCID_ERR_1430"), suffix
    assert isinstance(answer, httpx.Response)
