"""One live session: hears its recorder, its desktop, its operator and its clock, one at a time, in order.

Whatever goes wrong in here, the session fails closed: the desktop is cut (or marked as unrecorded, where the
policy says so), and what the journal holds is closed over.
"""

import asyncio

from lucid.sessions.asks import Ask, Asks, What, wrong_state
from lucid.sessions.clock import SessionClock
from lucid.sessions.desktop_watch import ENDED, DesktopWatch
from lucid.sessions.evidence import Evidence, Interim, as_record
from lucid.sessions.inbox import Inbox
from lucid.sessions.intake import Intake
from lucid.sessions.machine import Event
from lucid.sessions.models import Outcome, Session, State
from lucid.sessions.ports import DesktopStatus
from lucid.sessions.recorder_process import Message, RecorderProcess, configuration
from lucid.sessions.settings import Settings
from lucid.sessions.settling import Settler, slug
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.logs import bind, get_logger
from lucid_proof.records import Header

_DISPLAY_GONE = "display-lost"


class Conductor:
    """Runs one session from `ready` to its end.

    Parameters
    ----------
    desktop
        The id of its desktop.
    """

    def __init__(
        self,
        session: Session,
        recorder: RecorderProcess,
        evidence: Evidence,
        session_clock: SessionClock,
        settler: Settler,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.session = session
        self._recorder = recorder
        self._evidence = evidence
        self._session_clock = session_clock
        self._settler = settler
        self._settings = settings
        self._clock = clock
        self._inbox = Inbox(clock)
        self._watch = DesktopWatch(
            settler.desktops, session.server, clock, settler.backoff, settler.guard, self._desktop_says
        )
        self._linger: asyncio.Task[None] | None = None
        self._asks = Asks()
        self._intake = Intake(session, evidence, settler.ledger, settler.uploader)
        self._attaching = self._attached = False
        self._was_connected = False
        self._over = False

    # -- what others may do

    async def ask(self, what: What, *, reason: str, by: str) -> Session:
        """Pause, resume or stop; the session once it is done. Raises WrongState."""
        if self._over and what != "stop":
            raise wrong_state(what, self.session.state)
        ask = Ask(what, reason, by)
        self._asks.add(ask)
        self._inbox.post(self._asked, ask)
        return await ask.answer

    def block(self, header: Header) -> None:
        """Tell the recorder of a new block."""
        self._session_clock.reach(header.time_ms)
        message = {"do": "seen", "height": header.height, "hash": header.hash().hex(), "time": header.time_ms}
        self._inbox.start(self._recorder.send(message))

    async def run(self) -> None:
        """Conduct until the session is over."""
        with bind(session_id=self.session.id):
            self._inbox.start(self._hear())
            self._inbox.start(self._watch.run())
            self._inbox.start(self._inbox.every(self._settings.interim_s, self._tick))
            self._inbox.later(self._settings.connect_within_s, self._nobody_came)
            try:
                while not self._over:
                    work = await self._inbox.next()
                    await work()
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 - whatever it was: no desktop without a recording
                get_logger().exception("session.fault")
                await self._cut("service-fault")
            finally:
                await self._let_go()

    # -- the recorder

    async def _hear(self) -> None:
        async for message in self._recorder.messages():
            self._inbox.post(self._recorder_says, message)
        status = await self._recorder.wait()
        self._inbox.post(self._recorder_ended, status)

    async def _recorder_says(self, message: Message) -> None:
        match message.get("is"):
            case "attached":
                await self._admit(int(message["at"]))
            case "sealed":
                await self._intake.take(message)
            case "paused":
                await self._mark("pause", Event.PAUSED, message)
            case "resumed":
                await self._mark("resume", Event.RESUMED, message)
            case "stopped":
                if self.session.state is State.STOPPING:
                    await self._end("closed", self.session.reason)
                else:
                    await self._fail("recorder-stopped")
            case "failed":
                await self._recorder_failed(message)
            case "stats":
                figures = {
                    name: int(message[name])
                    for name in ("frames", "raw", "stored", "cpu_ms", "rss")
                    if name in message
                }
                await self._settler.store.set(self.session.id, figures=figures)

    async def _recorder_failed(self, message: Message) -> None:
        reason = slug(str(message.get("reason") or message.get("code") or "recorder-failed"))
        get_logger().error("recorder.failed", reason=reason, detail=str(message.get("detail", ""))[:500])
        if reason == _DISPLAY_GONE:
            if self.session.state is State.STOPPING:
                await self._end("closed", self.session.reason)
                return
            status = await self._watch.why_ended()
            if status is not None and status.state == "stopped":
                await self._end("closed", slug(status.reason or "logged-out"))
                return
            reason = slug(status.reason) if status is not None and status.reason else reason
            await self._cut(reason)
            return
        await self._fail(reason)

    async def _recorder_ended(self, status: int) -> None:
        if not self._over and self.session.state is not State.UNRECORDED:
            get_logger().error("recorder.ended", status=status)
            await self._fail("recorder-died")

    # -- the desktop

    def _desktop_says(self, status: DesktopStatus | None) -> None:
        self._inbox.post(self._desktop, status)

    async def _desktop(self, status: DesktopStatus | None) -> None:
        if status is None:
            await self._desktop_ended("failed", "desktop-lost")
            return
        if status.state in ENDED:
            await self._desktop_ended(status.state, status.reason)
            return
        if status.client_connected != self._was_connected:
            self._was_connected = status.client_connected
            action = "connect" if status.client_connected else "disconnect"
            get_logger().info(f"client.{action}")
            if self._attached and self.session.state is not State.STOPPING:
                await self._tell_client(action)
            if self._linger is not None:
                self._linger.cancel()
                self._linger = None
            if not status.client_connected:
                self._linger = self._inbox.later(self._settings.linger_s, self._client_stayed_away)
        await self._attach()

    async def _desktop_ended(self, state: str, reason: str) -> None:
        if self.session.state is State.STOPPING:
            return  # the recorder's last word is on its way
        if self.session.state is State.UNRECORDED:
            await self._end("abandoned", self.session.reason)
        elif state == "stopped":
            await self._stop(slug(reason or "logged-out"), by="")
        else:
            await self._cut(slug(reason or "desktop-failed"))

    async def _attach(self) -> None:
        """Once there is a display. The recorder's clock starts with `configure`, so that comes now and not
        before."""
        status = self._watch.latest
        if self._attaching or status is None or status.display is None:
            return
        self._attaching = True
        seen = await self._settler.head.seen()
        spool = self._settler.spool / self.session.id
        await self._recorder.send(
            configuration(self.session.id, spool, seen, self._session_clock.now_ms(), self._settings)
        )
        await self._recorder.send({"do": "attach", "display": dict(status.display)})
        self._inbox.later(self._settings.attach_within_s, self._not_attached)

    async def _admit(self, at_ms: int) -> None:
        """The recorder has its first keyframe: from here on everything is seen, so the user may see it
        too."""
        if self.session.state is not State.READY:
            return
        self._attached = True
        self.session = await self._settler.store.advance(self.session.id, Event.ATTACHED, recording_ms=at_ms)
        # Ends here: the gate is shut; start-up tears the desktop down and abandons the session.
        fault.point("session-attached")
        await self._watch.admit()
        get_logger().info("session.recording")
        if self._was_connected:
            await self._tell_client("connect")

    async def _tell_client(self, action: str) -> None:
        """An event in the recording; a recorder without a display takes none."""
        await self._recorder.send({"do": "event", "event": {"event": "client", "action": action}})

    # -- the operator

    async def _asked(self, ask: Ask) -> None:
        state = self.session.state
        if not self._asks.allow(ask, state):
            return
        if ask.what == "stop":
            if state is State.UNRECORDED:
                await self._end("abandoned", self.session.reason)
            elif state is not State.STOPPING:
                await self._stop(slug(ask.reason), by=ask.by)
        elif ask.what == "pause":
            await self._recorder.send({"do": "pause", "reason": slug(ask.reason)})
        else:
            await self._recorder.send({"do": "resume"})

    async def _mark(self, interim: Interim, event: Event, message: Message) -> None:
        """The recorder paused or went on: a record says so, then the state does."""
        await self._interim(interim, int(message.get("at", 0)))
        # Ends here: the record stands in the log, and the session is abandoned at start-up.
        fault.point("session-marked")
        what: What = "pause" if event is Event.PAUSED else "resume"
        self.session = await self._settler.store.advance(self.session.id, event, by=self._asks.who(what))
        self._asks.fulfil(what, self.session)

    async def _stop(self, reason: str, *, by: str) -> None:
        self.session = await self._settler.store.advance(self.session.id, Event.STOPPED, reason=reason, by=by)
        # Ends here: the session is abandoned at start-up; nobody promised that it closed.
        fault.point("session-stopping")
        # Nobody may see what comes after the last frame.
        await self._watch.dismiss()
        await self._recorder.send({"do": "stop"})
        self._inbox.later(self._settings.seal_within_s, self._not_sealed)

    # -- the clock

    async def _tick(self) -> None:
        if self.session.state is State.RECORDING:
            await self._interim("tick", self._session_clock.now_ms())

    async def _interim(self, event: Interim, time_ms: int) -> None:
        seen = await self._settler.head.seen()
        record = await asyncio.to_thread(self._evidence.interim, event, seen=seen, time_ms=time_ms)
        await self._settler.anchorer.add(as_record(record))

    async def _nobody_came(self) -> None:
        if self.session.state is State.READY and not self._attaching:
            await self._stop("never-connected", by="")

    async def _client_stayed_away(self) -> None:
        if self.session.state in (State.RECORDING, State.PAUSED, State.READY):
            await self._stop("client-left", by="")
        elif self.session.state is State.UNRECORDED:
            await self._end("abandoned", self.session.reason)

    async def _not_attached(self) -> None:
        if not self._attached and self.session.state is State.READY:
            await self._fail("recorder-not-attached")

    async def _not_sealed(self) -> None:
        if self.session.state is State.STOPPING:
            await self._fail("recorder-hung")

    # -- the end

    async def _fail(self, reason: str) -> None:
        """Recording is over. The session's policy says what becomes of the desktop."""
        marks = self.session.on_failure == "mark" and self.session.state in (
            State.READY,
            State.RECORDING,
            State.PAUSED,
        )
        if marks:
            await self._go_unrecorded(reason)
        else:
            await self._cut(reason)

    async def _go_unrecorded(self, reason: str) -> None:
        self._recorder.kill()
        await self._recorder.wait()
        self._asks.refuse_all(wrong_state("go on recording", State.UNRECORDED), but="stop")
        was_ready = self.session.state is State.READY
        self.session = await self._settler.store.advance(self.session.id, Event.RECORDING_LOST, reason=reason)
        get_logger().error("session.unrecorded", reason=reason)
        # Ends here: start-up signs the close record, with this reason.
        fault.point("session-unrecorded")
        self._inbox.start(self._settler.until_signed_off(self.session, "abandoned", reason))
        if was_ready:
            await self._watch.admit()

    async def _cut(self, reason: str) -> None:
        await self._end("abandoned", reason)

    async def _end(self, outcome: Outcome, reason: str) -> None:
        """Cut the desktop, then close over what the journal holds."""
        if self._over:
            return
        self._over = True
        await self._watch.cut()
        await self._recorder.close()
        await self._settler.until_settled(self.session.id, outcome, reason)
        self.session = await self._settler.store.get(self.session.id)

    async def _let_go(self) -> None:
        self._over = True
        await self._inbox.close()
        await self._recorder.close()
        self._asks.fulfil("stop", self.session)
        self._asks.refuse_all(wrong_state("do that", self.session.state))
