"""From desktop to evidence, with real displays, a real recorder and a real chain."""

import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import pytest
from PIL import Image, ImageChops

from lucid_proof import Report, Verdict, verify
from lucid_proof.receipt import Answer, Receipt, check
from lucid_proof.trust import TrustPolicy

from .plant import Plant

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One service for everything that goes well."""
    plant = Plant(tmp_path_factory.mktemp("flow"), block_ms=250)
    plant.start(chunk_ms=300, keyframe_ms=1000, interim_s=0.5, linger_s=1)
    yield plant
    plant.close()


@pytest.fixture(scope="module")
def closed(running: Plant) -> dict[str, object]:
    """A session that was stopped and is anchored."""
    made = running.create(name="closed one")
    running.recorded(made["id"], 3)
    running.ok("POST", f"/sessions/{made['id']}/stop", json={"reason": "work-done"})
    return {**made, **running.anchored(made["id"])}


def judge(plant: Plant, id_: str) -> Report:
    return verify(plant.export(id_), TrustPolicy.load(plant.trust))


def test_a_session_that_was_stopped_verifies_as_complete(running: Plant, closed: dict[str, object]) -> None:
    assert (closed["state"], closed["reason"], closed["verdict"]) == ("closed", "work-done", "complete")
    report = judge(running, str(closed["id"]))
    assert report.verdict is Verdict.COMPLETE, report.findings
    assert report.chunks == closed["chunks_acknowledged"] == closed["chunks_stored"]


def test_the_receipt_of_the_begin_is_kept_by_the_log(running: Plant, closed: dict[str, object]) -> None:
    exact = running.call("GET", f"/sessions/{closed['id']}/receipt").content
    assert json.loads(exact) == closed["receipt"]
    Receipt.parse(exact)
    path = running.home / "receipt.json"
    path.write_bytes(exact)
    assert running.chain is not None
    report = check(path, f"{running.chain.url}/tlog", TrustPolicy.load(running.trust))
    assert report.answer is Answer.KEPT, report.detail


def test_a_broken_download_goes_on_where_it_stopped(running: Plant, closed: dict[str, object]) -> None:
    path = f"/sessions/{closed['id']}/proof"
    whole = running.call("GET", path)
    tag = whole.headers["ETag"]
    half = len(whole.content) // 2
    rest = running.call("GET", path, headers={"Range": f"bytes={half}-", "If-Range": tag})
    assert rest.status_code == 206
    assert rest.headers["Content-Range"] == f"bytes {half}-{len(whole.content) - 1}/{len(whole.content)}"
    assert whole.content[:half] + rest.content == whole.content
    assert running.call("GET", path, headers={"If-None-Match": tag}).status_code == 304
    beyond = running.call("GET", path, headers={"Range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "LUCID_ERR_1432")


def test_first_and_last_frame_are_pictures(running: Plant, closed: dict[str, object]) -> None:
    for at in ("first", "last", "0", "250"):
        answer = running.call("GET", f"/sessions/{closed['id']}/frame", params={"at": at})
        assert answer.status_code == 200, answer.text
        assert answer.content.startswith(b"\x89PNG")
    answer = running.call("GET", f"/sessions/{closed['id']}/frame", params={"at": "soon"})
    assert answer.status_code == 422


def test_a_video_ends_with_the_last_frame_at_the_end_of_the_recording(
    running: Plant, closed: dict[str, object]
) -> None:
    answer = running.call("GET", f"/sessions/{closed['id']}/export", params={"cursor": "false"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/webm")
    with av.open(io.BytesIO(answer.content)) as container:
        *_, last = container.decode(video=0)
    shown = running.call("GET", f"/sessions/{closed['id']}/frame", params={"at": "last"})
    picture = Image.open(io.BytesIO(shown.content)).convert("L").resize((64, 40))
    video = last.to_image().convert("L").resize((64, 40))
    assert max(ImageChops.difference(picture, video).tobytes()) < 40
    assert last.time is not None
    assert last.time * 1000 >= int(shown.headers["lucid-frame-at"]) - began(running, closed)


def began(plant: Plant, session: dict[str, object]) -> int:
    """When the recording's first frame was shown, ms."""
    first = plant.call("GET", f"/sessions/{session['id']}/frame", params={"at": "first"})
    return int(first.headers["lucid-frame-at"])


def test_chunks_are_listed_and_downloaded_as_recorded(running: Plant, closed: dict[str, object]) -> None:
    page = running.ok("GET", f"/sessions/{closed['id']}/chunks", params={"limit": 2})
    assert [chunk["index"] for chunk in page["chunks"]] == [0, 1]
    assert page["next"] == 2
    one = running.ok("GET", f"/sessions/{closed['id']}/chunks/1")
    data = running.call("GET", f"/sessions/{closed['id']}/chunks/1/download")
    assert data.headers["ETag"] == f'"{one["sha256"]}"'
    assert len(data.content) == one["size"]
    assert running.call("GET", f"/sessions/{closed['id']}/chunks/9999").json()["code"] == "LUCID_ERR_1431"


def test_history_says_everything_that_happened(running: Plant, closed: dict[str, object]) -> None:
    events = running.ok("GET", f"/sessions/{closed['id']}/history")["events"]
    assert [event["event"] for event in events] == ["created", "prepared", "attached", "stopped", "closed"]
    assert [event["revision"] for event in events] == list(range(5))
    assert events[3]["by"] == "operator"


def test_statistics_show_ratio_and_anchoring_delay(running: Plant, closed: dict[str, object]) -> None:
    figures = running.ok("GET", f"/sessions/{closed['id']}/statistics")
    assert figures["raw_bytes"] > figures["stored_bytes"] > 0
    assert figures["recorder"]["frames"] > 0
    assert figures["recorded_ms"] > 0
    assert figures["records"][0]["event"] == "begin"
    overall = running.ok("GET", "/sessions/statistics")
    assert overall["anchoring_p95_ms"] >= overall["anchoring_p50_ms"] >= 0
    assert overall["chain_height"] > 0
    metrics = running.call("GET", "/metrics").text
    assert 'lucid_sessions_state_sessions{state="closed"}' in metrics
    assert "lucid_sessions_anchoring_seconds_bucket" in metrics


def test_a_pause_is_a_record_and_no_gap(running: Plant) -> None:
    id_ = running.create()["id"]
    running.recorded(id_, 2)
    assert running.ok("POST", f"/sessions/{id_}/pause", json={"reason": "lunch"})["state"] == "paused"
    assert running.call("POST", f"/sessions/{id_}/pause").json()["code"] == "LUCID_ERR_4300"
    count = running.show(id_)["chunks_acknowledged"]
    assert running.ok("POST", f"/sessions/{id_}/resume")["state"] == "recording"
    running.recorded(id_, count + 1)
    running.ok("POST", f"/sessions/{id_}/stop")
    running.anchored(id_)
    events = [record["event"] for record in running.ok("GET", f"/sessions/{id_}/pipeline")["records"]]
    assert [event for event in events if event != "tick"] == ["begin", "pause", "resume", "closed"]
    assert judge(running, id_).verdict is Verdict.COMPLETE


def test_a_running_session_exports_as_in_progress_and_its_chunks_stay(running: Plant) -> None:
    id_ = running.create()["id"]

    def covers_chunks(_: object) -> bool:
        records = running.ok("GET", f"/sessions/{id_}/pipeline")["records"]
        return any(record["chunks"] and record["height"] for record in records)

    running.until(id_, covers_chunks)
    early = running.export(id_, "early.lucid")
    report = verify(early, TrustPolicy.load(running.trust))
    assert report.verdict is Verdict.INCOMPLETE
    assert [finding.code for finding in report.findings] == ["in-progress"]
    assert report.chunks > 0
    running.ok("POST", f"/sessions/{id_}/stop")
    running.anchored(id_)
    late = running.export(id_, "late.lucid").read_bytes()
    prefix = early.read_bytes().index(b"records.jsonl") - 30
    assert late[:prefix] == early.read_bytes()[:prefix]


def test_a_user_who_logs_out_closes_the_session(running: Plant) -> None:
    id_ = running.create()["id"]
    running.recorded(id_, 1)
    running.desk(id_, "logout")
    shown = running.anchored(id_)
    assert (shown["state"], shown["reason"], shown["verdict"]) == ("closed", "logged-out", "complete")
    assert judge(running, id_).verdict is Verdict.COMPLETE


def test_a_client_that_stays_away_closes_the_session(running: Plant) -> None:
    id_ = running.create()["id"]
    running.recorded(id_, 1)
    running.desk(id_, "disconnect")
    shown = running.anchored(id_)
    assert (shown["state"], shown["reason"]) == ("closed", "client-left")


def test_a_client_that_comes_back_in_time_finds_its_session(running: Plant) -> None:
    id_ = running.create()["id"]
    running.recorded(id_, 1)
    running.desk(id_, "disconnect")
    running.desk(id_, "connect")
    count = running.show(id_)["chunks_acknowledged"]
    running.recorded(id_, count + 4)  # longer than the second that it would have had
    assert running.show(id_)["state"] == "recording"
    running.ok("POST", f"/sessions/{id_}/stop")


def test_the_same_idempotency_key_makes_one_session(running: Plant) -> None:
    headers = {"Idempotency-Key": "demo-1"}
    first = running.ok("POST", "/sessions", json={"width": 640, "height": 400}, headers=headers)
    again = running.ok("POST", "/sessions", json={"width": 640, "height": 400}, headers=headers)
    assert (again["id"], again["password"], again["receipt"]) == (
        first["id"],
        first["password"],
        first["receipt"],
    )
    other = running.call("POST", "/sessions", json={"width": 800, "height": 600}, headers=headers)
    assert other.json()["code"] == "LUCID_ERR_4303"
    running.ok("POST", f"/sessions/{first['id']}/stop")
    deadline = time.monotonic() + 20
    while (
        running.call("POST", "/sessions", json={"width": 640, "height": 400}, headers=headers).status_code
        != 409
    ):
        assert time.monotonic() < deadline


def test_a_session_made_without_a_start_begins_when_it_is_started(running: Plant) -> None:
    made = running.create(start=False, name="later")
    assert (made["state"], made["password"], made["receipt"]) == ("created", "", None)
    assert running.call("GET", f"/sessions/{made['id']}/receipt").json()["code"] == "LUCID_ERR_1433"
    assert running.call("GET", f"/sessions/{made['id']}/proof").json()["code"] == "LUCID_ERR_4301"
    started = running.ok("POST", f"/sessions/{made['id']}/start")
    assert started["password"]
    assert started["receipt"]["record"]["body"]["session"] == made["id"]
    running.recorded(made["id"], 1)
    assert running.call("POST", f"/sessions/{made['id']}/start").json()["code"] == "LUCID_ERR_4300"
    running.ok("POST", f"/sessions/{made['id']}/stop")


def test_a_deleted_session_shows_nothing_and_still_verifies(running: Plant) -> None:
    id_ = running.create()["id"]
    running.recorded(id_, 2)
    assert running.call("DELETE", f"/sessions/{id_}").json()["code"] == "LUCID_ERR_4305"
    running.ok("POST", f"/sessions/{id_}/stop")
    running.anchored(id_)
    keys = running.data / "sessions"
    wrapped = _wrapped(running, id_)
    assert _somewhere(keys, wrapped)
    assert running.ok("DELETE", f"/sessions/{id_}")["state"] == "deleted"
    assert not _somewhere(keys, wrapped)
    assert running.call("GET", f"/sessions/{id_}/export").json()["code"] == "LUCID_ERR_4302"
    gone = running.call("GET", f"/sessions/{id_}/frame")
    assert (gone.status_code, gone.json()["code"]) == (410, "LUCID_ERR_4302")
    assert running.call("DELETE", f"/sessions/{id_}").status_code == 410
    assert judge(running, id_).verdict is Verdict.COMPLETE


def _wrapped(plant: Plant, id_: str) -> bytes:
    """The wrapped key as it lies in the database's files. Opening them as a database would end in a race."""
    found = [
        match[1]
        for path in (plant.data / "sessions").glob("keys.db*")
        for match in re.finditer(rb'"id":"%s","wrapped":"([0-9a-f]+)"' % id_.encode(), path.read_bytes())
    ]
    return found[-1]


def _somewhere(directory: Path, what: bytes) -> bool:
    return any(what in path.read_bytes() for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("sessions:read", "POST", "/sessions"),
        ("sessions:write", "GET", "/sessions"),
        ("sessions:read", "GET", "/sessions/{id}/frame"),
        ("sessions:read", "GET", "/sessions/{id}/export"),
        ("sessions:write", "DELETE", "/sessions/{id}"),
        ("sessions:read", "POST", "/sessions/{id}/pipeline/pause"),
        ("sessions:replay", "GET", "/sessions/{id}/proof"),
    ],
)
def test_a_token_without_the_scope_is_refused(
    running: Plant, closed: dict[str, object], scope: str, method: str, path: str
) -> None:
    answer = running.call(method, path.replace("{id}", str(closed["id"])), json={}, token=running.mint(scope))
    assert (answer.status_code, answer.json()["code"]) == (403, "LUCID_ERR_2403")


def test_without_a_token_nothing_is_told(running: Plant) -> None:
    assert running.service is not None
    assert httpx.get(f"{running.service.url}/sessions").status_code == 401


def test_uploads_that_are_paused_wait_in_the_spool(running: Plant) -> None:
    id_ = running.create()["id"]
    assert running.ok("POST", f"/sessions/{id_}/pipeline/pause")["state"] == "paused"
    count = running.show(id_)["chunks_stored"]
    running.recorded(id_, count + 3)
    running.ok("POST", f"/sessions/{id_}/stop")
    shown = running.anchored(id_)
    assert shown["chunks_stored"] <= count + 1 < shown["chunks_acknowledged"]
    assert judge(running, id_).verdict is Verdict.COMPLETE  # straight from the spool
    running.ok("POST", f"/sessions/{id_}/pipeline/resume")
    running.until(id_, lambda now: now["archived"])
    assert not (running.data / "sessions" / "spool" / id_).exists()
    assert judge(running, id_).verdict is Verdict.COMPLETE


def test_sessions_are_listed_newest_first_in_pages(running: Plant, closed: dict[str, object]) -> None:
    rows, after = [], None
    while True:
        page = running.ok("GET", "/sessions", params={"limit": 2, **({"after": after} if after else {})})
        rows += [row["id"] for row in page["sessions"]]
        after = page["next"]
        if after is None:
            break
    assert rows == sorted(rows, reverse=True)
    assert closed["id"] in rows
    only = running.ok("GET", "/sessions", params={"state": "closed", "owner": "operator", "limit": 1000})
    assert {row["state"] for row in only["sessions"]} == {"closed"}


def test_nothing_of_the_content_and_no_secret_is_in_the_log(
    running: Plant, closed: dict[str, object]
) -> None:
    log = running.service_log()
    assert str(closed["id"]) in log
    assert running.token not in log
    assert str(closed["password"]) not in log
