"""Brings session records into the log, and knows which are there.

It hands in the very bytes that were journalled, as often as it takes: the chain gives the same answer to the
same bytes, so nothing is anchored twice, and nothing is ever signed again. Within a session records go in
order.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from lucid.sessions.backoff import Backoff
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Record, RecordState
from lucid.sessions.ports import Chain, Placement
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.errors import LucidError
from lucid_kit.http import RemoteProblem
from lucid_kit.logs import bind, get_logger
from lucid_proof.records import Header

_AT_ONCE = 8
_REFUSED_AGAIN_S = 60.0
_BLOCKS_KEPT = 256

Anchored = Callable[[Record], Awaitable[None]]


class Anchorer:
    """Every record that is not anchored yet.

    Parameters
    ----------
    anchored
        Called with each record once it is anchored.
    """

    def __init__(
        self, chain: Chain, ledger: Ledger, clock: Clock, backoff: Backoff, anchored: Anchored
    ) -> None:
        self._chain = chain
        self._ledger = ledger
        self._clock = clock
        self._backoff = backoff
        self._anchored = anchored
        self._open: dict[str, dict[int, Record]] = defaultdict(dict)
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._times: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._failures = 0

    @property
    def pending(self) -> list[Record]:
        """Records on their way, oldest first within each session."""
        return [records[seq] for records in self._open.values() for seq in sorted(records)]

    async def load(self) -> None:
        """Take up what was on its way before the restart."""
        for record in await self._ledger.open_records():
            self._open[record.session][record.seq] = record
        self._wake.set()

    async def add(self, record: Record, *, within_s: float = 0.0) -> None:
        """Take a journalled record; with `within_s`, wait that long for the chain to take it.

        Adding a record that is known already does nothing.
        """
        known = {each.seq: each for each in await self._ledger.records(record.session)}
        if record.seq not in known:
            await self._ledger.add(record)
        elif known[record.seq].state is RecordState.ANCHORED:
            return
        self._open[record.session].setdefault(record.seq, known.get(record.seq, record))
        # Ends here: start-up finds the record among those that are not anchored.
        fault.point("record-queued")
        if within_s > 0:
            try:
                async with asyncio.timeout(within_s):
                    await self._bring(record.session)
            except TimeoutError:
                get_logger().info("record.waits", seq=record.seq)
        self._wake.set()

    def block(self, header: Header) -> None:
        """A new block: look what it anchors."""
        self._times[header.height] = header.time_ms
        while len(self._times) > _BLOCKS_KEPT:
            self._times.pop(min(self._times))
        self._wake.set()

    async def run(self) -> None:
        """Bring records in until cancelled; never gives up."""
        while True:
            self._wake.clear()
            if not await self._round():
                self._failures += 1
                await self._wait(self._backoff.wait_s(self._failures))
            else:
                self._failures = 0
                await self._wait(_REFUSED_AGAIN_S)

    async def _wait(self, seconds: float) -> None:
        waker = asyncio.ensure_future(self._wake.wait())
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({waker, sleeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waker.cancel()
            sleeper.cancel()

    async def _round(self) -> bool:
        """Try every session once; whether the chain answered throughout."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def bring(session: str) -> bool:
            async with gate:
                return await self._bring(session)

        return all(await asyncio.gather(*(bring(session) for session in list(self._open))))

    async def _bring(self, session: str) -> bool:
        """Bring a session's records as far as they go; whether the chain answered."""
        async with self._locks[session]:
            with bind(session_id=session):
                for seq in sorted(self._open.get(session, {})):
                    record = self._open[session][seq]
                    try:
                        if not await self._advance(record):
                            break
                    except RemoteProblem as problem:
                        if problem.remote_status >= 500:
                            return self._away(problem)
                        await self._refused(record, problem)
                        break
                    except LucidError as error:
                        return self._away(error)
            if not self._open.get(session):
                self._open.pop(session, None)
        if session not in self._open:
            self._locks.pop(session, None)
        return True

    async def _advance(self, record: Record) -> bool:
        """Submit a record, or see whether a block has it; whether the next one may go."""
        place: Placement | None = None
        if record.state is RecordState.ACCEPTED:
            place = await self._chain.placement(record.tx)
        if place is None:
            place = await self._chain.submit(record.tx, bytes.fromhex(record.bytes_hex))
            # Ends here: submitted again after the start, and the chain knows the bytes.
            fault.point("record-submitted")
        if not place.anchored or place.height is None:
            await self._set(record, state=RecordState.ACCEPTED, fault="")
            return True
        delay_ms = max(0, await self._block_time(place.height) - record.time_ms)
        done = await self._set(
            record,
            state=RecordState.ANCHORED,
            height=place.height,
            index=place.index,
            delay_ms=delay_ms,
            fault="",
        )
        # Ends here: start-up finds it anchored, and does what follows from that.
        fault.point("record-anchored")
        self._open[record.session].pop(record.seq, None)
        get_logger().info("record.anchored", seq=record.seq, height=place.height, delay_ms=delay_ms)
        await self._anchored(done)
        return True

    async def _set(self, record: Record, **changes: object) -> Record:
        now = Record.of({**record.to_document(), **changes})
        if now != record:
            await self._ledger.set_record(
                record, **{name: getattr(value, "value", value) for name, value in changes.items()}
            )
            if record.seq in self._open[record.session]:
                self._open[record.session][record.seq] = now
        return now

    async def _block_time(self, height: int) -> int:
        if height not in self._times:
            self._times[height] = (await self._chain.block(height)).header.time_ms
        return self._times[height]

    async def _refused(self, record: Record, problem: RemoteProblem) -> None:
        if record.state is not RecordState.REFUSED:
            get_logger().error(
                "record.refused", seq=record.seq, code=problem.remote_code, error=problem.detail
            )
        await self._set(
            record, state=RecordState.REFUSED, fault=f"{problem.remote_code} {problem.detail}"[:500]
        )

    def _away(self, error: LucidError) -> bool:
        if self._failures == 0:
            get_logger().warning("anchoring.waits", error=error.detail, pending=len(self.pending))
        return False
