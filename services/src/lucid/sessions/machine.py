"""The life of a session as a table: what may happen in which state, and what it leads to. Pure."""

from enum import StrEnum

from lucid.sessions.errors import WrongState
from lucid.sessions.models import State


class Event(StrEnum):
    """What can happen to a session."""

    PREPARED = "prepared"  # begin record journalled, desktop and recorder up
    ATTACHED = "attached"  # the recorder has its first keyframe
    PAUSED = "paused"
    RESUMED = "resumed"
    STOPPED = "stopped"  # someone asked, the user logged out, or the client stayed away
    CLOSED = "closed"  # the close record says so
    ABANDONED = "abandoned"  # the close record says so, or there never was a begin
    RECORDING_LOST = "recording-lost"  # the policy says mark, and the desktop goes on
    DELETED = "deleted"


_TABLE: dict[tuple[State, Event], State] = {
    (State.CREATED, Event.PREPARED): State.READY,
    (State.CREATED, Event.ABANDONED): State.ABANDONED,
    (State.CREATED, Event.DELETED): State.DELETED,
    (State.READY, Event.ATTACHED): State.RECORDING,
    (State.READY, Event.STOPPED): State.STOPPING,
    (State.READY, Event.ABANDONED): State.ABANDONED,
    (State.READY, Event.RECORDING_LOST): State.UNRECORDED,
    (State.RECORDING, Event.PAUSED): State.PAUSED,
    (State.RECORDING, Event.STOPPED): State.STOPPING,
    (State.RECORDING, Event.ABANDONED): State.ABANDONED,
    (State.RECORDING, Event.RECORDING_LOST): State.UNRECORDED,
    (State.PAUSED, Event.RESUMED): State.RECORDING,
    (State.PAUSED, Event.STOPPED): State.STOPPING,
    (State.PAUSED, Event.ABANDONED): State.ABANDONED,
    (State.PAUSED, Event.RECORDING_LOST): State.UNRECORDED,
    (State.STOPPING, Event.CLOSED): State.CLOSED,
    (State.STOPPING, Event.ABANDONED): State.ABANDONED,
    (State.UNRECORDED, Event.ABANDONED): State.ABANDONED,
    (State.CLOSED, Event.DELETED): State.DELETED,
    (State.ABANDONED, Event.DELETED): State.DELETED,
}


def after(state: State, event: Event) -> State:
    """The state that `event` leads to.

    Raises
    ------
    WrongState
        If that cannot happen in `state`.
    """
    try:
        return _TABLE[state, event]
    except KeyError:
        raise WrongState(
            f"A session that is {state} cannot be {event}", state=state.value, possible=possible(state)
        ) from None


def possible(state: State) -> list[str]:
    """The events that can happen in `state`, by name."""
    return sorted(event.value for at, event in _TABLE if at is state)
