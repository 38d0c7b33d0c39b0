"""How a session comes up: key, begin record, recorder and desktop; then its conductor takes over."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from lucid.sessions.clock import SessionClock
from lucid.sessions.conductor import Conductor
from lucid.sessions.errors import DesktopNotStarted
from lucid.sessions.evidence import Evidence, RecordLog, as_record
from lucid.sessions.machine import Event
from lucid.sessions.models import Access, Session
from lucid.sessions.ports import Desktop
from lucid.sessions.processes import start_ticks
from lucid.sessions.recorder_process import RecorderProcess
from lucid.sessions.settings import Settings
from lucid.sessions.settling import RECORDS, Settler
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.errors import LucidError
from lucid_kit.files import make_dirs
from lucid_kit.logs import get_logger
from lucid_proof.note import VerifierKey
from lucid_proof.receipt import Receipt
from lucid_proof.records import Seen, Transaction

_SETTLE_S = 10.0


@dataclass(frozen=True, slots=True)
class Starter:
    """Brings sessions up. `log_key` is the log's verifier key, for the receipt."""

    settler: Settler
    settings: Settings
    clock: Clock
    log_key: VerifierKey
    background: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, session: Session, key: bytes) -> tuple[Conductor, Access]:
        """From `created` to `ready`: the begin record is journalled and was offered to the chain, the gate is
        shut.

        Recorder and desktop start while the record is signed: whoever waits, waits for the slowest alone.

        Raises
        ------
        ChainNeverSeen
            If there is no block to name. Nothing has begun then.
        DesktopNotStarted
            If recorder or desktop did not come up. The session is abandoned then.
        """
        newest = await self.settler.head.require()
        clock = SessionClock(self.clock, newest.time_ms, self.settler.head.ceiling_ms())
        directory = self.settler.spool / session.id
        await asyncio.to_thread(make_dirs, directory)
        await self.settler.store.set(session.id, started_ms=self.clock.now_ms())
        # Ends here: a session that asked to start and has no begin record; start-up abandons it.
        fault.point("session-starting")
        evidence = Evidence(session.id, RecordLog(directory / RECORDS), self.settler.signer)
        results = await asyncio.gather(
            self.settler.desktops.create(session.id, session.width, session.height),
            RecorderProcess.spawn(self.recorder_command(), key),
            self._begin(session, evidence, clock, newest.seen()),
            return_exceptions=True,
        )
        desktop, recorder, begin = results
        if (
            isinstance(desktop, BaseException)
            or isinstance(recorder, BaseException)
            or isinstance(begin, BaseException)
        ):
            failed = [result for result in results if isinstance(result, BaseException)]
            await self._undo(session, recorder, failed)
            raise DesktopNotStarted(f"The session could not start: {failed[0]}") from failed[0]
        ready = await self.settler.store.advance(
            session.id,
            Event.PREPARED,
            server=desktop.id,
            host=desktop.host,
            port=desktop.port,
            username=desktop.username,
            recorder_pid=recorder.pid,
            recorder_ticks=start_ticks(recorder.pid),
        )
        # Ends here: nobody has the password; start-up tears down and abandons.
        fault.point("session-prepared")
        conductor = Conductor(ready, recorder, evidence, clock, self.settler, self.settings, self.clock)
        return conductor, _access(desktop, begin, self.log_key)

    async def _begin(
        self, session: Session, evidence: Evidence, clock: SessionClock, seen: Seen
    ) -> Transaction:
        begin = await asyncio.to_thread(
            evidence.begin,
            commitment=session.key_commitment,
            on_failure=session.on_failure,
            within_ms=self.settings.anchor_within_ms,
            seen=seen,
            time_ms=clock.now_ms(),
        )
        await self.settler.anchorer.add(as_record(begin), within_s=self.settings.submit_within_s)
        return begin

    def recorder_command(self) -> Sequence[str]:
        return self.settings.recorder_command or (sys.executable, "-m", "lucid.recorder")

    async def _undo(self, session: Session, recorder: object, failed: list[BaseException]) -> None:
        get_logger().error("session.not-started", error=str(failed[0]))
        if isinstance(recorder, RecorderProcess):
            await recorder.close()
        settled = self._beside(self.settler.until_settled(session.id, "abandoned", _why(failed[0])))
        # There may be a desktop that nobody told us of. It is removed, even if its server is away for long.
        self._beside(self.settler.remove_desktop(session))
        await asyncio.wait({settled}, timeout=_SETTLE_S)

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task


def _why(error: BaseException) -> str:
    return f"not-started-{error.code}" if isinstance(error, LucidError) else "not-started"


def _access(desktop: Desktop, begin: Transaction, log_key: VerifierKey) -> Access:
    receipt = Receipt(begin, log_key).bytes().decode("utf-8")
    return Access(desktop.session, desktop.host, desktop.port, desktop.username, desktop.password, receipt)
