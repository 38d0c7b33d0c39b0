"""Figures for Prometheus and for GET /sessions/statistics."""

from dataclasses import dataclass

from lucid.sessions.anchorer import Anchorer
from lucid.sessions.head import Head
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import ChunkState, Record, RecordState, State
from lucid.sessions.store import SessionStore
from lucid.sessions.uploader import Uploader
from lucid_kit.clock import Clock
from lucid_kit.metrics import Metrics

_EVERY_S = 5.0
_DELAYS_S = (1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)


@dataclass(frozen=True, slots=True)
class Overall:
    """How all sessions of this instance do. Delays in milliseconds, of the last 1,000 records anchored."""

    sessions: dict[State, int]
    chunks: dict[ChunkState, int]
    records: dict[RecordState, int]
    delay_p50_ms: int | None
    delay_p95_ms: int | None
    oldest_pending_ms: int | None
    chain_height: int | None
    chain_away_ms: int | None
    upload_faults: int
    last_upload_fault: str


class Figures:
    """Reads the stores now and then, so that /metrics costs nothing."""

    def __init__(
        self,
        metrics: Metrics,
        store: SessionStore,
        ledger: Ledger,
        anchorer: Anchorer,
        uploader: Uploader,
        head: Head,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._anchorer = anchorer
        self._uploader = uploader
        self._head = head
        self._clock = clock
        self._sessions = metrics.gauge("lucid_sessions_state_sessions", "Sessions by state", ["state"])
        self._chunks = metrics.gauge("lucid_sessions_upload_chunks", "Chunks by state", ["state"])
        self._records = metrics.gauge("lucid_sessions_record_records", "Session records by state", ["state"])
        self._oldest = metrics.gauge(
            "lucid_sessions_pending_seconds", "Age of the oldest record that is not anchored"
        )
        self._away = metrics.gauge("lucid_sessions_chain_away_seconds", "How long the chain has not answered")
        self._faults = metrics.gauge("lucid_sessions_upload_faults", "Failed upload attempts since start")
        self._delay = metrics.histogram(
            "lucid_sessions_anchoring_seconds",
            "From a record to the block that anchors it",
            buckets=_DELAYS_S,
        )

    def anchored(self, record: Record) -> None:
        """A record was anchored."""
        self._delay.observe((record.delay_ms or 0) / 1000)

    async def overall(self) -> Overall:
        delays = sorted(await self._ledger.anchored())
        now_ms = self._clock.now_ms()
        pending = [record.time_ms for record in self._anchorer.pending]
        away = self._head.away_since_ms
        return Overall(
            sessions={state: await self._store.count({"state": state.value}) for state in State},
            chunks=await self._ledger.counts(),
            records={state: await self._ledger.count_records(state) for state in RecordState},
            delay_p50_ms=_percentile(delays, 50),
            delay_p95_ms=_percentile(delays, 95),
            oldest_pending_ms=max(0, now_ms - min(pending)) if pending else None,
            chain_height=self._head.newest.height if self._head.newest else None,
            chain_away_ms=None if away is None else self._clock.monotonic_ms() - away,
            upload_faults=self._uploader.faults,
            last_upload_fault=self._uploader.last_fault,
        )

    async def run(self) -> None:
        """Keep the gauges fresh until cancelled."""
        while True:
            overall = await self.overall()
            for state, sessions in overall.sessions.items():
                self._sessions.labels(state.value).set(sessions)
            for chunk_state, chunks in overall.chunks.items():
                self._chunks.labels(chunk_state.value).set(chunks)
            for record_state, records in overall.records.items():
                self._records.labels(record_state.value).set(records)
            self._oldest.set((overall.oldest_pending_ms or 0) / 1000)
            self._away.set((overall.chain_away_ms or 0) / 1000)
            self._faults.set(overall.upload_faults)
            await self._clock.sleep(_EVERY_S)


def _percentile(ordered: list[int], percent: int) -> int | None:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else None
