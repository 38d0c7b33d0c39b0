"""HTTP routes of sessions: make, list, show, start, stop, pause, resume, delete, and how they do."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from lucid.sessions.facts import Facts, facts_of, pipeline_of
from lucid.sessions.models import Access, ChunkState, Session, State
from lucid.sessions.rooms import RoomsIn
from lucid.sessions.service import Wanted
from lucid.sessions.shapes import (
    GONE,
    UPSTREAM,
    Because,
    HappeningOut,
    HistoryOut,
    IdempotencyKey,
    OverallOut,
    PipelineOut,
    RecordOut,
    SessionChange,
    SessionIn,
    SessionMade,
    SessionOut,
    SessionPage,
    SessionPath,
    StatisticsOut,
)
from lucid_kit.clock import rfc3339
from lucid_kit.http import needs
from lucid_kit.ids import pattern
from lucid_kit.tokens import Principal

routes = APIRouter(prefix="/sessions", tags=["sessions"])

READS = needs("sessions:read")
WRITES = needs("sessions:write")
Writer = Annotated[Principal, needs("sessions:write")]
Deleter = Annotated[Principal, needs("sessions:delete")]

_SHOWN = 100


@routes.post("", status_code=201, responses=UPSTREAM)
async def create(
    body: SessionIn, who: Writer, rooms: RoomsIn, response: Response, key: IdempotencyKey = None
) -> SessionMade:
    """Make a session and, unless told otherwise, bring up its desktop. The password is in this answer
    alone."""
    wanted = Wanted(body.width, body.height, body.on_failure, body.name, body.start)
    session, access = await rooms.sessions.create(who.subject, wanted, key or "")
    response.headers["Location"] = f"/sessions/{session.id}"
    facts = await facts_of(session, rooms.ledger)
    return _made(facts, access)


@routes.get("", dependencies=[READS])
async def list_sessions(
    rooms: RoomsIn,
    state: Annotated[list[State] | None, Query(description="only these states")] = None,
    owner: Annotated[str | None, Query(max_length=256)] = None,
    after: Annotated[
        str | None, Query(pattern=pattern("ses"), description="last id of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> SessionPage:
    """Sessions, the newest first."""
    where: dict[str, Any] = {}
    if state:
        where["state"] = {"$in": [each.value for each in state]}
    if owner:
        where["owner"] = owner
    found = await rooms.sessions.find(where, after=after or "", limit=limit)
    shown = [SessionOut.of(await facts_of(session, rooms.ledger)) for session in found]
    return SessionPage(sessions=shown, next=found[-1].id if len(found) == limit else None)


@routes.get("/statistics", dependencies=[READS])
async def overall(rooms: RoomsIn) -> OverallOut:
    """How all sessions of this instance do."""
    figures = await rooms.figures.overall()
    return OverallOut(
        sessions=figures.sessions, chunks=figures.chunks, records=figures.records,
        anchoring_p50_ms=figures.delay_p50_ms, anchoring_p95_ms=figures.delay_p95_ms,
        oldest_pending_ms=figures.oldest_pending_ms, chain_height=figures.chain_height,
        chain_away_ms=figures.chain_away_ms, upload_faults=figures.upload_faults,
        last_upload_fault=figures.last_upload_fault,
    )  # fmt: skip


@routes.get("/{session_id}", dependencies=[READS])
async def show(session_id: SessionPath, rooms: RoomsIn) -> SessionOut:
    """A session, and what can be said of its recording now."""
    return await _shown(await rooms.sessions.get(session_id), rooms)


@routes.put("/{session_id}", dependencies=[WRITES])
async def rename(session_id: SessionPath, body: SessionChange, rooms: RoomsIn) -> SessionOut:
    """Give a session another name."""
    return await _shown(await rooms.sessions.rename(session_id, body.name), rooms)


@routes.delete("/{session_id}", responses=GONE)
async def delete(session_id: SessionPath, who: Deleter, rooms: RoomsIn) -> SessionOut:
    """Destroy the session's key: nobody can see the recording any more. Its proof stays, and still
    verifies."""
    return await _shown(await rooms.sessions.delete(session_id, by=who.subject), rooms)


@routes.post("/{session_id}/start", responses=UPSTREAM, dependencies=[WRITES])
async def start(session_id: SessionPath, rooms: RoomsIn) -> SessionMade:
    """Bring up the desktop of a session that was made with `start: false`."""
    access = await rooms.sessions.start(session_id)
    facts = await facts_of(await rooms.sessions.get(session_id), rooms.ledger)
    return _made(facts, access)


@routes.post("/{session_id}/stop")
async def stop(
    session_id: SessionPath, who: Writer, rooms: RoomsIn, body: Because | None = None
) -> SessionOut:
    """End the session: its last chunk is sealed and its close record signed. Stopping one that is over is no
    error.
    """
    reason = body.reason if body else ""
    return await _shown(
        await rooms.sessions.ask(session_id, "stop", reason=reason or "stopped", by=who.subject), rooms
    )


@routes.post("/{session_id}/pause")
async def pause(
    session_id: SessionPath, who: Writer, rooms: RoomsIn, body: Because | None = None
) -> SessionOut:
    """Pause the recording. The log says from when; the desktop goes on."""
    reason = body.reason if body else ""
    return await _shown(
        await rooms.sessions.ask(session_id, "pause", reason=reason or "asked", by=who.subject), rooms
    )


@routes.post("/{session_id}/resume")
async def resume(session_id: SessionPath, who: Writer, rooms: RoomsIn) -> SessionOut:
    """Go on recording. The log says from when."""
    return await _shown(await rooms.sessions.ask(session_id, "resume", reason="", by=who.subject), rooms)


@routes.get("/{session_id}/history", dependencies=[READS])
async def history(session_id: SessionPath, rooms: RoomsIn) -> HistoryOut:
    """Everything that happened to the session, oldest first; nothing is ever removed from it."""
    events = await rooms.sessions.history(session_id)
    return HistoryOut(events=[_happening(event) for event in events])


@routes.get("/{session_id}/statistics", dependencies=[READS])
async def statistics(session_id: SessionPath, rooms: RoomsIn) -> StatisticsOut:
    """Figures of one session."""
    session = await rooms.sessions.get(session_id)
    facts = await facts_of(session, rooms.ledger)
    last = await rooms.ledger.chunks(session_id, first=max(0, session.chunks - 1), limit=1)
    ended_ms = int(last[0].record["to"]) if last else None
    return _statistics(facts, ended_ms, [RecordOut.of(record) for record in facts.records])


@routes.get("/{session_id}/pipeline", dependencies=[READS])
async def pipeline(session_id: SessionPath, rooms: RoomsIn) -> PipelineOut:
    """What of the session waits on its way to the object store and the log, and what failed."""
    session = await rooms.sessions.get(session_id)
    return PipelineOut.of(await pipeline_of(session, rooms.ledger, _SHOWN))


@routes.post("/{session_id}/pipeline/pause", dependencies=[WRITES])
async def pause_pipeline(session_id: SessionPath, rooms: RoomsIn) -> PipelineOut:
    """Leave the session's chunks in the spool for now. Recording and anchoring go on."""
    await rooms.sessions.get(session_id)
    session = await rooms.store.set(session_id, uploads_paused=True)
    await rooms.uploader.pause(session_id)
    return PipelineOut.of(await pipeline_of(session, rooms.ledger, _SHOWN))


@routes.post("/{session_id}/pipeline/resume", dependencies=[WRITES])
async def resume_pipeline(session_id: SessionPath, rooms: RoomsIn) -> PipelineOut:
    """Upload what waits, dead letters included."""
    await rooms.sessions.get(session_id)
    session = await rooms.store.set(session_id, uploads_paused=False)
    await rooms.uploader.resume(session_id)
    return PipelineOut.of(await pipeline_of(session, rooms.ledger, _SHOWN))


def _made(facts: Facts, access: Access | None) -> SessionMade:
    if access is None:
        return SessionMade.of(facts, password="", receipt=None)
    return SessionMade.of(facts, password=access.password, receipt=json.loads(access.receipt))


async def _shown(session: Session, rooms: RoomsIn) -> SessionOut:
    return SessionOut.of(await facts_of(session, rooms.ledger))


def _happening(event: dict[str, Any]) -> HappeningOut:
    return HappeningOut(
        revision=event["revision"], event=event["event"], state=event["state"], reason=event["reason"],
        by=event["by"], at=rfc3339(event["at_ms"]),
    )  # fmt: skip


def _statistics(facts: Facts, ended_ms: int | None, records: Sequence[RecordOut]) -> StatisticsOut:
    session = facts.session
    began_ms = session.recording_ms
    return StatisticsOut(
        id=session.id,
        state=session.state,
        recorded_ms=max(0, ended_ms - began_ms) if ended_ms is not None and began_ms is not None else 0,
        chunks_acknowledged=facts.chunks_acknowledged,
        chunks_stored=facts.chunks[ChunkState.STORED],
        raw_bytes=session.raw_bytes,
        stored_bytes=session.stored_bytes,
        ratio=round(session.raw_bytes / session.stored_bytes, 2)
        if session.raw_bytes and session.stored_bytes
        else None,
        recorder=dict(session.figures),
        anchored=facts.anchored,
        anchoring_delay_ms=facts.anchoring_delay_ms,
        records=list(records),
    )
