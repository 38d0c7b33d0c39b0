"""kill -9 at every step of the pipeline, and what the next start makes of it.

Each fault point of this cluster is walked by its name; one that is new and not walked here fails the suite.
"""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

import lucid.sessions
from lucid_kit import fault
from lucid_proof import Verdict, verify
from lucid_proof.tiles import WIDTH, decode_entries, entries_path
from lucid_proof.trust import TrustPolicy

from .plant import Plant

pytestmark = [pytest.mark.real, pytest.mark.slow]

POINTS = fault.names(Path(lucid.sessions.__file__).parent)
REFUSALS = {"chunk-upload"}
NEVER_BEGAN = {"key-stored", "session-created", "session-starting", "record-signed"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One chain and one set of displays for all; each test has a data directory of its own."""
    plant = Plant(tmp_path_factory.mktemp("faults"), block_ms=250)
    plant.start_chain()
    plant.start_desks()
    yield plant
    plant.close()


def scenario(plant: Plant, *, lost: bool) -> None:
    """Everything a session can go through; ends early where the service ends."""
    made = plant.create(on_failure="mark" if lost else "cut")
    plant.recorded(made["id"], 1)
    if lost:
        os.kill(plant.recorders()[0], signal.SIGKILL)
        plant.until(made["id"], lambda shown: shown["state"] == "unrecorded")
    plant.ok("POST", f"/sessions/{made['id']}/pause")
    plant.ok("POST", f"/sessions/{made['id']}/resume")
    plant.ok("POST", f"/sessions/{made['id']}/stop")
    plant.until(made["id"], lambda shown: shown["archived"])
    plant.ok("DELETE", f"/sessions/{made['id']}")


def acknowledged(plant: Plant) -> dict[str, list[str]]:
    """Journal lines of every session, as they are on the disk right now."""
    spool = plant.data / "sessions" / "spool"
    found = {}
    for journal in spool.glob("*/journal.jsonl"):
        lines = journal.read_text().splitlines(keepends=True)
        found[journal.parent.name] = [line for line in lines if line.endswith("\n")]
    return found


def seqs_in_log(plant: Plant, session: str) -> list[int]:
    """The seq of each leaf of the log that is a record of the session, as often as it stands there."""
    assert plant.chain is not None
    size = httpx.get(f"{plant.chain.url}/chain/info").json()["size"]
    found: dict[tuple[str, int], int] = {}
    for tile in range((size + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - tile * WIDTH)
        data = httpx.get(f"{plant.chain.url}/tlog/{entries_path(tile, width)}").content
        for at, entry in enumerate(decode_entries(data)):
            leaf = json.loads(entry)
            if leaf["kind"].startswith("session.") and leaf["body"]["session"] == session:
                found[session, tile * WIDTH + at] = leaf["body"]["seq"]
    return list(found.values())


def test_every_point_is_known() -> None:
    assert POINTS.keys() >= REFUSALS
    assert POINTS.keys() >= NEVER_BEGAN


@pytest.mark.parametrize("point", sorted(POINTS.keys() - REFUSALS))
def test_what_was_acknowledged_outlives_a_kill_at(point: str, shared: Plant, tmp_path: Path) -> None:
    shared.data = tmp_path
    settings = {"chunk_ms": 300, "keyframe_ms": 2000, "interim_s": 0.5}
    service = shared.start(fault=point, **settings)
    with suppress(httpx.TransportError):
        scenario(shared, lost=point == "session-unrecorded")
    assert service.ended(10) == -signal.SIGKILL, f"never passed {POINTS[point]}"
    journals = acknowledged(shared)

    shared.start(**settings)
    sessions = shared.ok("GET", "/sessions")["sessions"]
    assert len(sessions) <= 1
    for row in sessions:
        if point == "session-created":
            assert row["state"] == "created"
            continue
        shared.until(row["id"], lambda now: now["state"] in ("closed", "abandoned", "deleted"))
        shown = shared.show(row["id"]) if point in NEVER_BEGAN else shared.anchored(row["id"])
        assert shown["state"] in ("closed", "abandoned", "deleted")
        if point in NEVER_BEGAN:
            assert (shown["state"], shown["reason"]) == ("abandoned", "never-began")
            continue
        shared.until(row["id"], lambda now: now["chunks_stored"] == now["chunks_acknowledged"])
        lines = journals.get(row["id"], [])
        chunks = shared.ok("GET", f"/sessions/{row['id']}/chunks", params={"limit": 1000})["chunks"]
        known = {chunk["sha256"] for chunk in chunks}
        assert {json.loads(line)["sha256"] for line in lines} <= known
        report = verify(shared.export(row["id"]), TrustPolicy.load(shared.trust))
        wanted = Verdict.COMPLETE if shown["verdict"] == "complete" else Verdict.INCOMPLETE
        assert report.verdict is wanted, report.findings
        assert report.chunks == len(chunks)
        seqs = seqs_in_log(shared, row["id"])
        assert Counter(seqs) == Counter(range(len(seqs)))
        assert len(seqs) == shown["records"]
    assert shared.desk_sessions() == []
    assert shared.recorders() == []
    assert shared.service is not None
    assert shared.service.stop() == 0
