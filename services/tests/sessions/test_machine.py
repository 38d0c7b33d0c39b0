"""The life of a session: the table is the law."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.sessions.errors import WrongState
from lucid.sessions.machine import Event, after, possible
from lucid.sessions.models import FINAL, State

walks = st.lists(st.sampled_from(Event), max_size=40)


def walk(events: list[Event]) -> list[State]:
    states = [State.CREATED]
    for event in events:
        try:
            states.append(after(states[-1], event))
        except WrongState:
            continue
    return states


def test_a_session_that_goes_well_is_ready_recording_stopping_closed() -> None:
    events = [Event.PREPARED, Event.ATTACHED, Event.STOPPED, Event.CLOSED]
    assert walk(events)[1:] == [State.READY, State.RECORDING, State.STOPPING, State.CLOSED]


def test_a_pause_leads_back_to_recording_and_nowhere_else_but_the_end() -> None:
    assert possible(State.PAUSED) == ["abandoned", "recording-lost", "resumed", "stopped"]


@given(walks)
def test_no_session_leaves_a_final_state_but_to_be_deleted(events: list[Event]) -> None:
    states = walk(events)
    for state, following in pairwise(states):
        if state in FINAL:
            assert following is State.DELETED


@given(walks)
def test_a_session_is_closed_only_after_it_was_stopping(events: list[Event]) -> None:
    states = walk(events)
    for state, following in pairwise(states):
        if following is State.CLOSED:
            assert state is State.STOPPING


@given(walks)
def test_nothing_is_recorded_after_recording_was_lost(events: list[Event]) -> None:
    states = walk(events)
    if State.UNRECORDED in states:
        later = states[states.index(State.UNRECORDED) + 1 :]
        assert set(later) <= {State.ABANDONED, State.DELETED}


@given(walks)
def test_a_live_session_is_never_deleted(events: list[Event]) -> None:
    states = walk(events)
    for state, following in pairwise(states):
        if following is State.DELETED:
            assert state in (State.CREATED, State.CLOSED, State.ABANDONED)


@pytest.mark.parametrize("state", [state for state in State if state not in FINAL])
def test_every_live_session_can_be_abandoned(state: State) -> None:
    assert after(state, Event.ABANDONED) is State.ABANDONED


def test_what_cannot_happen_says_what_can() -> None:
    with pytest.raises(WrongState) as refused:
        after(State.READY, Event.PAUSED)
    assert refused.value.facts["possible"] == ["abandoned", "attached", "recording-lost", "stopped"]
