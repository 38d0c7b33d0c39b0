"""What is known of a session, put together for whoever asks: totals, anchoring, the verdict that follows."""

from collections.abc import Sequence
from dataclasses import dataclass

from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Chunk, ChunkState, Record, RecordState, Session, State, Verdict
from lucid_proof.records import CLOSE


@dataclass(frozen=True, slots=True)
class Facts:
    """A session, and how far its chunks and records have come."""

    session: Session
    chunks: dict[ChunkState, int]
    records: Sequence[Record]

    @property
    def chunks_acknowledged(self) -> int:
        return sum(self.chunks.values())

    @property
    def begin_anchored(self) -> bool:
        return bool(self.records) and self.records[0].state is RecordState.ANCHORED

    @property
    def anchored(self) -> bool:
        """Whether everything that was signed so far is in the log."""
        return bool(self.records) and all(each.state is RecordState.ANCHORED for each in self.records)

    @property
    def anchoring_delay_ms(self) -> int | None:
        """The longest time from a record to the block that anchors it; None before the first is anchored."""
        delays = [each.delay_ms for each in self.records if each.delay_ms is not None]
        return max(delays) if delays else None

    @property
    def close(self) -> Record | None:
        return self.records[-1] if self.records and self.records[-1].kind == CLOSE else None

    @property
    def verdict(self) -> Verdict:
        """What a bundle exported now would be judged, as far as this service can know.

        A dead letter is not a gap: its bytes are in the spool and are exported from there.
        """
        close = self.close
        if close is None:
            # A session that ended without a record: it never began.
            return Verdict.ABANDONED if self.session.state is State.ABANDONED else Verdict.IN_PROGRESS
        if close.event == "abandoned":
            return Verdict.ABANDONED
        if close.chunks != self.chunks_acknowledged:
            return Verdict.GAP
        return Verdict.COMPLETE if self.anchored else Verdict.IN_PROGRESS


async def facts_of(session: Session, ledger: Ledger) -> Facts:
    """Put together what is known of a session."""
    return Facts(session, await ledger.counts(session.id), await ledger.records(session.id))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A session's way from the spool to the log: what waits, what failed."""

    paused: bool
    chunks: dict[ChunkState, int]
    waiting: Sequence[Chunk]
    records: Sequence[Record]


async def pipeline_of(session: Session, ledger: Ledger, limit: int) -> Pipeline:
    waiting = await ledger.waiting(session.id)
    troubled = sorted(waiting, key=lambda chunk: (chunk.state is not ChunkState.DEAD, chunk.index))
    return Pipeline(
        session.uploads_paused,
        await ledger.counts(session.id),
        troubled[:limit],
        await ledger.records(session.id),
    )
