"""The nouns: a session, its chunks, its records, the way into its desktop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Self

Document = dict[str, Any]
OnFailure = Literal["cut", "mark"]
Outcome = Literal["closed", "abandoned"]


class State(StrEnum):
    """Where a session stands. `machine` says what leads from one to the other."""

    CREATED = "created"  # an id and a key; no desktop yet
    READY = "ready"  # the begin record is journalled, the gate is shut, credentials are out
    RECORDING = "recording"
    PAUSED = "paused"  # by a record in the log, not by a hole
    STOPPING = "stopping"  # the recorder seals its last chunk
    CLOSED = "closed"  # ended in order
    ABANDONED = "abandoned"  # ended by a failure; what was journalled stands
    UNRECORDED = "unrecorded"  # recording failed and the policy lets the desktop go on
    DELETED = "deleted"  # the key is destroyed; the proof is not


FINAL = frozenset({State.CLOSED, State.ABANDONED, State.DELETED})


class Verdict(StrEnum):
    """What an exported bundle of this session would be judged, from what is known now."""

    IN_PROGRESS = "in_progress"
    ABANDONED = "abandoned"
    GAP = "gap"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Session:
    """One session as it is persisted. Times are milliseconds since 1970, UTC."""

    id: str
    state: State
    owner: str
    name: str
    width: int
    height: int
    on_failure: OnFailure
    created_ms: int
    key_commitment: str
    revision: int = 0
    started_ms: int | None = None  # start asked for: from here on a crash means abandoned
    recording_ms: int | None = None  # the first keyframe
    closed_ms: int | None = None
    reason: str = ""
    server: str = ""
    host: str = ""
    port: int = 0
    username: str = ""
    recorder_pid: int = 0
    recorder_ticks: int = 0  # with the pid, names one process even after the pid is used again
    chunks: int = 0
    raw_bytes: int = 0
    stored_bytes: int = 0  # of ciphertext, acknowledged
    uploads_paused: bool = False
    archived: bool = False  # journal and records are in the object store, the spool is gone
    figures: Mapping[str, int] = field(default_factory=dict)  # what the recorder reports: frames, cpu_ms, rss

    @property
    def final(self) -> bool:
        return self.state in FINAL

    def to_document(self) -> Document:
        document = {name: getattr(self, name) for name in self.__slots__}
        document["state"] = self.state.value
        document["figures"] = dict(self.figures)
        return document

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        values = {name: document[name] for name in cls.__slots__ if name in document}
        return cls(**{**values, "state": State(document["state"])})


class ChunkState(StrEnum):
    """Where a chunk's ciphertext is."""

    SPOOLED = "spooled"
    STORED = "stored"
    DEAD = "dead"  # given up after too many attempts: a person must look, then retry


@dataclass(frozen=True, slots=True)
class Chunk:
    """One acknowledged chunk: its record as the journal has it, and how far its upload has come."""

    session: str
    index: int
    record: Mapping[str, Any]
    raw: int = 0  # bytes before compression; 0 if only the journal is left to tell
    crc32: int | None = None  # of the ciphertext, for the bundle's ZIP headers; known once stored
    state: ChunkState = ChunkState.SPOOLED
    attempts: int = 0
    fault: str = ""
    stored_ms: int | None = None

    @property
    def id(self) -> str:
        return f"{self.session}:{self.index:08d}"

    @property
    def size(self) -> int:
        return int(self.record["size"])

    @property
    def sha256(self) -> str:
        return str(self.record["sha256"])

    def to_document(self) -> Document:
        document = {name: getattr(self, name) for name in self.__slots__}
        return {**document, "id": self.id, "state": self.state.value, "record": dict(self.record)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        values = {name: document[name] for name in cls.__slots__ if name in document}
        return cls(**{**values, "state": ChunkState(document["state"])})


class RecordState(StrEnum):
    """How far a session record is on its way into the log."""

    QUEUED = "queued"  # journalled; the chain has not taken it yet
    ACCEPTED = "accepted"  # in the chain's mempool
    ANCHORED = "anchored"
    REFUSED = "refused"  # the chain names a rule; tried again at long intervals


@dataclass(frozen=True, slots=True)
class Record:
    """One signed session record. `bytes_hex` is what was signed, never signed again."""

    session: str
    seq: int
    kind: str
    event: str  # begin, tick, pause, resume, closed or abandoned
    tx: str
    chunks: int
    time_ms: int
    seen_height: int
    bytes_hex: str
    state: RecordState = RecordState.QUEUED
    height: int | None = None
    index: int | None = None
    delay_ms: int | None = None  # from the record's time to the time of the block that anchors it
    fault: str = ""

    @property
    def id(self) -> str:
        return f"{self.session}:{self.seq:06d}"

    def to_document(self) -> Document:
        document = {name: getattr(self, name) for name in self.__slots__}
        return {**document, "id": self.id, "state": self.state.value}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        values = {name: document[name] for name in cls.__slots__ if name in document}
        return cls(**{**values, "state": RecordState(document["state"])})


@dataclass(frozen=True, slots=True)
class Access:
    """The way into a desktop. The password is shown once and kept only under the key custody's wrap."""

    session: str
    host: str
    port: int
    username: str
    password: str
    receipt: str
