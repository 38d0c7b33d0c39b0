"""The recorder's life: configured, attached, recording, paused, stopped or failed. One thread, one loop."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from lucid.recorder.chunker import CUT_LEAD, Chunker, Sealed
from lucid.recorder.control import Configuration, Control, seen_of, time_of
from lucid.recorder.errors import BadCommand, ControlLost, RecorderFault
from lucid.recorder.film import Film
from lucid.recorder.pace import Pace
from lucid.recorder.x11 import cookie_of, dial
from lucid.recording.errors import MalformedRecording, RecordingFailed, SpoolFull, SpoolUnwritable
from lucid.recording.events import check_desktop_event
from lucid.recording.spool import Spool

POINTER_MS: Final = 250
POINTER_IDLE_MS: Final = 1_000
"""Between two looks at the pointer when it has not moved for `POINTER_REST_MS`."""
POINTER_REST_MS: Final = 5_000
STATS_MS: Final = 30_000
CLOCK_STEP: Final = 1_000
"""Milliseconds behind the chain from which on stepping forward is worth a chunk of its own."""


class Recorder:
    """One session's recorder.

    Parameters
    ----------
    control
        The sessions service.
    key
        The session's key, 32 bytes.
    """

    def __init__(self, control: Control, key: bytes) -> None:
        self._control = control
        self._key = key
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll.register(self._wake, select.POLLIN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        self._config: Configuration | None = None
        self._film: Film | None = None
        self._chunker: Chunker | None = None
        self._paused = False
        self._stopping = self._signalled = False
        self._damaged_at: int | None = None
        self._point_at = self._moved_at = self._stats_at = 0

    def run(self) -> int:
        """Serve until the end; the process's exit status: 0 only after `stop`."""
        try:
            try:
                while not self._stopping:
                    self._turn()
            except ControlLost:
                # Nobody listens: keep what there is, for whoever reads the journal.
                self._control.mute()
                self._finish()
                return 3
        except RecordingFailed as error:
            return self._fail(error)
        except Exception as error:  # noqa: BLE001  whatever it is, the session must learn that it is not recorded
            return self._fail(RecorderFault(_place(error)))
        return 3 if self._signalled else 0

    # -- the loop -------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        ready = {fd for fd, _ in self._poll.poll(self._patience())}
        if self._wake in ready:
            self._signalled = True
            self._finish()
            self._stopping = True
            return
        if self._control.fileno() in ready:
            for command in self._control.commands():
                self._obey(command)
        film = self._film
        if film is None or self._stopping:
            return
        # Replies may have carried events along; so this is asked on every turn, not only when poll says so.
        wanted = film.listen()
        if self._paused:
            return
        tick = _tick()
        if wanted and self._damaged_at is None:
            self._damaged_at = tick
        if self._damaged_at is not None and tick >= self._pace.due(self._damaged_at):
            self._picture()
        elif tick >= self._point_at:
            self._look_at_pointer(film, tick)
        self._cut_if_due()

    def _patience(self) -> int | None:
        """Milliseconds until something is due; None: only an event can bring work."""
        if self._film is None or self._paused:
            return None
        if self._film.waiting:
            return 0
        tick = _tick()
        due = min(self._point_at, self._cut_at())
        if self._damaged_at is not None:
            due = min(due, self._pace.due(self._damaged_at))
        return max(0, due - tick)

    def _picture(self) -> None:
        film, chunker = self._recording()
        began = _tick()
        grown = chunker.growth
        self._damaged_at = None
        if self._now() - film.entered_at >= self._configuration().keyframe_ms:
            self._enter()
        elif film.frame(self._now(), began):
            film.resized(self._now())
            self._enter()
        ended = _tick()
        self._pace.taken(began, ended, chunker.growth - grown)
        self._point_at = ended + POINTER_MS
        if film.stale:
            self._damaged_at = ended

    def _look_at_pointer(self, film: Film, tick: int) -> None:
        if film.point(self._now()):
            self._moved_at = tick
        resting = tick - self._moved_at > POINTER_REST_MS
        self._point_at = tick + (POINTER_IDLE_MS if resting else POINTER_MS)

    def _cut_at(self) -> int:
        """When the running chunk has covered its time, as a tick."""
        _, chunker = self._recording()
        config = self._configuration()
        return self._start_tick + chunker.from_ms - config.start_ms + config.chunk_ms - CUT_LEAD

    def _cut_if_due(self) -> None:
        if _tick() < self._cut_at():
            return
        film, chunker = self._recording()
        config = self._configuration()
        # The picture that begins a chunk is whole if it would be overdue before the chunk after it.
        if self._now() - film.entered_at + config.chunk_ms > config.keyframe_ms:
            self._enter()
        else:
            chunker.cut(self._now())
        if _tick() >= self._stats_at:
            self._say_stats()

    def _enter(self) -> None:
        """Seal the running chunk and begin one where playing can start."""
        film, chunker = self._recording()
        now = self._now()
        chunker.cut(now, go_on=False)
        film.enter(now)

    # -- commands -------------------------------------------------------------------------------------------

    def _obey(self, command: dict[str, Any]) -> None:
        obey = self._commands.get(command["do"])
        if obey is None:
            raise BadCommand("a command that the recorder does not know")
        obey(self, command)

    def _configure(self, command: dict[str, Any]) -> None:
        if self._config is not None:
            raise BadCommand("configure: the recorder is configured already")
        self._config = config = Configuration.parse(command)
        self._start_tick = _tick()
        self._seen = config.seen
        self._pace = Pace(config.fps)
        self._spool = Spool(config.spool, config.spool_limit)
        self._chunker = Chunker(
            self._spool, config.session, self._key, config.chunk_bytes, lambda: self._seen, self._announce
        )
        self._control.say("configured")

    def _attach(self, command: dict[str, Any]) -> None:
        if self._chunker is None or self._film is not None:
            raise BadCommand("attach: only once, after configure")
        display = command.get("display")
        if not isinstance(display, dict) or not isinstance(display.get("socket"), str):
            raise BadCommand("attach: display has no socket")
        try:
            cookie = cookie_of(str(display.get("xauthority") or ""), str(display.get("name") or ":0"))
        except ValueError as error:
            raise BadCommand("attach: xauthority is neither a path nor hex") from error
        connection = dial(display["socket"], cookie, display.get("uid"))
        self._film = film = Film(connection, self._chunker)
        self._poll.register(connection, select.POLLIN)
        now = self._now()
        film.enter(now)
        self._stats_at = _tick() + STATS_MS
        self._moved_at = _tick()
        width, height = film.size
        self._control.say("attached", width=width, height=height, at=now)

    def _learn_seen(self, command: dict[str, Any]) -> None:
        seen = seen_of({name: command.get(name) for name in ("height", "hash")})
        block_ms = time_of(command)
        if self._config is None or seen.height < self._seen.height:
            return
        behind = block_ms - self._now()
        if behind > 0:
            # The chain's clock was set forward: a chunk that names the new block must not end before it, so
            # what was filmed by the old clock is sealed under the old block (ADR 0003).
            if behind > CLOCK_STEP and self._film is not None and not self._paused:
                self._cut(command)
            self._start_tick -= behind
        self._seen = seen

    def _pause(self, _: dict[str, Any]) -> None:
        chunker = self._recording()[1]
        if not self._paused:
            self._last_picture()
            now = self._now()
            chunker.cut(now, go_on=False)
            self._paused = True
            self._damaged_at = None
            self._control.say("paused", chunks=chunker.chunks, at=now)

    def _resume(self, _: dict[str, Any]) -> None:
        film = self._recording()[0]
        if self._paused:
            self._paused = False
            now = self._now()
            film.enter(now)
            self._control.say("resumed", at=now)

    def _cut(self, _: dict[str, Any]) -> None:
        chunker = self._recording()[1]
        if not self._paused:
            self._last_picture()
            chunker.cut(self._now())

    def _event(self, command: dict[str, Any]) -> None:
        film = self._recording()[0]
        try:
            body = check_desktop_event(command.get("event"))
            if not self._paused:
                film.happen(self._now(), body)
        except MalformedRecording as error:
            raise BadCommand(f"event: {error.detail}") from error

    def _stop(self, _: dict[str, Any]) -> None:
        self._finish()
        self._stopping = True

    _commands: Final[dict[str, Callable[[Recorder, dict[str, Any]], None]]] = {
        "configure": _configure,
        "attach": _attach,
        "seen": _learn_seen,
        "pause": _pause,
        "resume": _resume,
        "cut": _cut,
        "event": _event,
        "stop": _stop,
    }

    # -- endings --------------------------------------------------------------------------------------------

    def _last_picture(self) -> None:
        """Bring the running chunk to what is on the screen now."""
        film = self._recording()[0]
        film.listen()
        self._picture()

    def _finish(self) -> None:
        chunker = self._chunker
        if chunker is not None:
            # In the middle of a picture there is none to add to; its parts stay without a frame end.
            if chunker.open and self._film is not None and not self._film.torn:
                self._last_picture()
            chunker.cut(self._now(), go_on=False)
            self._spool.close()
        if self._film is not None:
            self._say_stats()
            self._film.close()
        chunks, now = (chunker.chunks, self._now()) if chunker else (0, 0)
        self._control.say("stopped", chunks=chunks, at=now)

    def _fail(self, error: RecordingFailed) -> int:
        """Say why, after keeping what can still be kept."""
        if self._chunker is not None and not isinstance(error, SpoolFull | SpoolUnwritable):
            try:
                self._chunker.cut(self._now(), go_on=False)
            except RecordingFailed as worse:
                error = worse
            except ControlLost:
                return 3
        try:
            self._control.say("failed", code=error.code, reason=error.reason, detail=error.detail)
        except ControlLost:
            return 3
        return 1

    # -- small things ---------------------------------------------------------------------------------------

    def _announce(self, sealed: Sealed) -> None:
        self._control.say("sealed", record=sealed.record.to_json(), file=sealed.file, raw=sealed.raw)

    def _say_stats(self) -> None:
        film, chunker = self._recording()
        self._stats_at = _tick() + STATS_MS
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._control.say(
            "stats",
            frames=film.frames,
            raw=chunker.raw,
            stored=chunker.stored,
            cpu_ms=int((used.ru_utime + used.ru_stime) * 1000),
            rss=_rss(),
        )

    def _recording(self) -> tuple[Film, Chunker]:
        if self._film is None or self._chunker is None:
            raise BadCommand("the recorder is not attached to a display yet")
        return self._film, self._chunker

    def _configuration(self) -> Configuration:
        if self._config is None:
            raise BadCommand("the recorder is not configured yet")
        return self._config

    def _now(self) -> int:
        """The recorder's clock: starts where it was told to, and no change of the wall clock reaches it."""
        return self._configuration().start_ms + _tick() - self._start_tick


def _place(error: BaseException) -> str:
    """What kind of error and where it was raised. Its text may hold what is on the screen and is left out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "nowhere"
    return f"{type(error).__name__} at {where}"


def _tick() -> int:
    return time.monotonic_ns() // 1_000_000


def _rss() -> int:
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()
