"""What operators asked of a live session, and the answers they wait for."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from lucid.sessions.errors import WrongState
from lucid.sessions.machine import possible
from lucid.sessions.models import Session, State
from lucid_kit.errors import LucidError

What = Literal["pause", "resume", "stop"]

_WHEN: dict[What, frozenset[State]] = {
    "pause": frozenset({State.RECORDING}),
    "resume": frozenset({State.PAUSED}),
    "stop": frozenset({State.READY, State.RECORDING, State.PAUSED, State.STOPPING, State.UNRECORDED}),
}


@dataclass(slots=True, eq=False)
class Ask:
    """One wish: what, why, whose, and the session once it is fulfilled."""

    what: What
    reason: str
    by: str
    answer: asyncio.Future[Session] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Asks:
    """The wishes that wait."""

    def __init__(self) -> None:
        self._waiting: list[Ask] = []
        self._over = False

    def add(self, ask: Ask) -> None:
        self._waiting.append(ask)

    def allow(self, ask: Ask, state: State) -> bool:
        """Whether it may be done in `state`; if not, it is answered with WrongState."""
        if state in _WHEN[ask.what]:
            return True
        self._refuse(ask, wrong_state(ask.what, state))
        return False

    def who(self, what: What) -> str:
        """Who asked for it first."""
        return next((ask.by for ask in self._waiting if ask.what == what), "")

    def fulfil(self, what: What, session: Session) -> None:
        for ask in [ask for ask in self._waiting if ask.what == what]:
            self._waiting.remove(ask)
            if not ask.answer.done():
                ask.answer.set_result(session)

    def refuse_all(self, error: LucidError, *, but: What | None = None) -> None:
        for ask in [ask for ask in self._waiting if ask.what != but]:
            self._refuse(ask, error)

    def _refuse(self, ask: Ask, error: LucidError) -> None:
        self._waiting.remove(ask)
        if not ask.answer.done():
            ask.answer.set_exception(error)


def wrong_state(what: str, state: State) -> WrongState:
    """Why that cannot be done now."""
    return WrongState(f"A session that is {state} cannot {what}", state=state.value, possible=possible(state))
