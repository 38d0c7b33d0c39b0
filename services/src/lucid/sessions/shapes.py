"""What requests and answers look like, shared by the routes."""

from typing import Annotated, Any, Literal, Self

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field

from lucid.sessions.facts import Facts, Pipeline
from lucid.sessions.models import Chunk, ChunkState, Record, RecordState, State, Verdict
from lucid_kit.clock import rfc3339
from lucid_kit.http import PROBLEM_JSON
from lucid_kit.ids import pattern

_SCHEMA = {"content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
GONE: dict[int | str, dict[str, Any]] = {410: {"description": "The session's key was destroyed.", **_SCHEMA}}
UPSTREAM: dict[int | str, dict[str, Any]] = {
    502: {"description": "Another service answered with an error.", **_SCHEMA}
}
UNSATISFIABLE: dict[int | str, dict[str, Any]] = {416: {"description": "The range lies outside.", **_SCHEMA}}

MAX_INDEX = (1 << 20) - 1
MAX_MS = 2**53 - 1

SessionPath = Annotated[str, Path(pattern=pattern("ses"), description="A session's id")]
IndexPath = Annotated[int, Path(ge=0, le=MAX_INDEX, description="A chunk's index, from 0")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="Makes repeating the request safe: the same key gets the same answer.",
    ),
]
Reason = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9-]*$")]
Name = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Closed(BaseModel):
    """A request: unknown members are errors."""

    model_config = ConfigDict(extra="forbid")


class SessionIn(Closed):
    """A session to be made."""

    width: int = Field(default=1280, ge=320, le=7680, strict=True, description="pixels")
    height: int = Field(default=800, ge=200, le=4320, strict=True, description="pixels")
    on_failure: Literal["cut", "mark"] = Field(
        default="cut",
        description="when recording fails: cut the desktop, or let it go on marked as unrecorded",
    )
    name: Name = Field(default="", description="for people; not in the log")
    start: bool = Field(default=True, strict=True, description="bring the desktop up at once")


class SessionChange(Closed):
    """What can be changed of a session."""

    name: Name


class Because(Closed):
    """Why."""

    reason: Reason = Field(
        default="", description="up to 64 of a-z, 0-9, hyphen; a stop's reason is in the log"
    )


class SessionOut(BaseModel):
    """A session, and what can be said of its recording now."""

    id: str
    state: State
    verdict: Verdict = Field(description="what a bundle exported now would be judged")
    name: str
    owner: str
    width: int
    height: int
    on_failure: Literal["cut", "mark"]
    reason: str = Field(description="why it ended, or is not recorded")
    created_at: str
    recording_since: str | None
    closed_at: str | None
    host: str
    port: int
    username: str
    chunks_acknowledged: int = Field(description="chunks that will not be lost")
    chunks_stored: int = Field(description="chunks in the object store")
    bytes_raw: int = Field(description="of recording, before compression")
    bytes_stored: int = Field(description="of ciphertext, acknowledged")
    chunks_dead: int = Field(description="chunks whose upload was given up; see the pipeline")
    records: int = Field(description="signed session records")
    records_anchored: int
    begin_anchored: bool = Field(description="the begin record is in the log: a bundle can be exported")
    anchored: bool = Field(description="every record so far is in the log")
    anchoring_delay_ms: int | None = Field(description="longest time from a record to its block")
    archived: bool = Field(description="nothing of it is left in the spool")

    @classmethod
    def of(cls, facts: Facts, **more: Any) -> Self:
        session = facts.session
        return cls(
            id=session.id, state=session.state, verdict=facts.verdict, name=session.name, owner=session.owner,
            width=session.width, height=session.height, on_failure=session.on_failure, reason=session.reason,
            created_at=rfc3339(session.created_ms), recording_since=moment(session.recording_ms),
            closed_at=moment(session.closed_ms), host=session.host, port=session.port,
            username=session.username,
            chunks_acknowledged=facts.chunks_acknowledged, chunks_stored=facts.chunks[ChunkState.STORED],
            chunks_dead=facts.chunks[ChunkState.DEAD], records=len(facts.records),
            records_anchored=sum(each.state is RecordState.ANCHORED for each in facts.records),
            bytes_raw=session.raw_bytes, bytes_stored=session.stored_bytes,
            begin_anchored=facts.begin_anchored,
            anchored=facts.anchored, anchoring_delay_ms=facts.anchoring_delay_ms, archived=session.archived,
            **more,
        )  # fmt: skip


class SessionMade(SessionOut):
    """A new session. The password is shown here and never again."""

    password: str = Field(description="one-time; empty if the session was not started")
    receipt: dict[str, Any] | None = Field(
        description="lucid-receipt/1; GET /sessions/{id}/receipt gives its exact bytes"
    )


class SessionPage(BaseModel):
    """Sessions, the newest first."""

    sessions: list[SessionOut]
    next: str | None = Field(description="give it as `after` to read on")


class ChunkOut(BaseModel):
    """An acknowledged chunk."""

    index: int
    size: int = Field(description="bytes of ciphertext")
    raw: int = Field(description="bytes before compression; 0 if unknown after a crash")
    sha256: str
    begins_at: str
    ends_at: str
    seen_height: int = Field(description="the newest block when it was sealed")
    state: ChunkState
    attempts: int
    fault: str

    @classmethod
    def of(cls, chunk: Chunk) -> Self:
        record = chunk.record
        return cls(
            index=chunk.index, size=chunk.size, raw=chunk.raw, sha256=chunk.sha256,
            begins_at=rfc3339(record["from"]), ends_at=rfc3339(record["to"]),
            seen_height=record["seen"]["height"],
            state=chunk.state, attempts=chunk.attempts, fault=chunk.fault,
        )  # fmt: skip


class ChunkPage(BaseModel):
    """Chunks in order."""

    chunks: list[ChunkOut]
    next: int | None = Field(description="give it as `first` to read on")


class RecordOut(BaseModel):
    """A signed session record and its way into the log."""

    seq: int
    event: str
    transaction: str
    chunks: int
    at: str
    seen_height: int
    state: RecordState
    height: int | None = Field(description="of the block that anchors it")
    index: int | None = Field(description="of its leaf in the log")
    delay_ms: int | None
    fault: str

    @classmethod
    def of(cls, record: Record) -> Self:
        return cls(
            seq=record.seq, event=record.event, transaction=record.tx, chunks=record.chunks,
            at=rfc3339(record.time_ms),
            seen_height=record.seen_height, state=record.state, height=record.height, index=record.index,
            delay_ms=record.delay_ms, fault=record.fault,
        )  # fmt: skip


class PipelineOut(BaseModel):
    """A session's way from the spool to the log."""

    state: Literal["running", "paused"]
    chunks: dict[ChunkState, int]
    waiting: list[ChunkOut] = Field(description="chunks not stored yet, dead letters first; at most 100")
    records: list[RecordOut]

    @classmethod
    def of(cls, pipeline: Pipeline) -> Self:
        return cls(
            state="paused" if pipeline.paused else "running",
            chunks=pipeline.chunks,
            waiting=[ChunkOut.of(chunk) for chunk in pipeline.waiting],
            records=[RecordOut.of(record) for record in pipeline.records],
        )


class StatisticsOut(BaseModel):
    """Figures of one session."""

    id: str
    state: State
    recorded_ms: int = Field(description="from the first frame to the last chunk's end")
    chunks_acknowledged: int
    chunks_stored: int
    raw_bytes: int
    stored_bytes: int
    ratio: float | None = Field(description="raw by stored")
    recorder: dict[str, int] = Field(
        description="what the recorder last said: frames, raw, stored (bytes), cpu_ms, rss (bytes)"
    )
    anchored: bool
    anchoring_delay_ms: int | None
    records: list[RecordOut]


class OverallOut(BaseModel):
    """Figures of this instance."""

    sessions: dict[State, int]
    chunks: dict[ChunkState, int]
    records: dict[RecordState, int]
    anchoring_p50_ms: int | None
    anchoring_p95_ms: int | None
    oldest_pending_ms: int | None = Field(description="age of the oldest record that is not anchored")
    chain_height: int | None
    chain_away_ms: int | None = Field(description="how long the chain has not answered; null while it does")
    upload_faults: int
    last_upload_fault: str


class HappeningOut(BaseModel):
    """One entry of a session's history."""

    revision: int
    event: str
    state: State
    reason: str
    by: str
    at: str


class HistoryOut(BaseModel):
    """Everything that happened to a session, oldest first."""

    events: list[HappeningOut]


def moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
