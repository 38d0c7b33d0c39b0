"""Pointer, windows, clipboard sizes, pauses, and the time that chunks cover."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import xcffib
import xcffib.xproto

from lucid.recording.events import CursorAt, CursorImage, DesktopEvent, Event, decode
from lucid.recording.replay import last_frame

from .conftest import START, Driver, Painter, XServer

pytestmark = pytest.mark.real
Start = Callable[..., Driver]


def events(recorder: Driver) -> list[Event]:
    source = recorder.source()
    return [event for chunk in range(len(source)) for event in decode(source.plaintext(chunk))]


def bodies(recorder: Driver) -> list[dict[str, Any]]:
    return [event.body for event in events(recorder) if isinstance(event, DesktopEvent)]


def test_the_pointer_is_followed(x_server: XServer, painter: Painter, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server)
    x_server.run("xsetroot", "-cursor_name", "watch")
    painter.core.WarpPointer(0, painter.root, 0, 0, 0, 0, 123, 45)
    painter.sync()
    recorder.stop()
    seen = events(recorder)
    places = [(event.x, event.y) for event in seen if isinstance(event, CursorAt)]
    assert places[-1] == (123, 45)
    cursor = last_frame(recorder.source()).cursor
    images = [event for event in seen if isinstance(event, CursorImage)]
    assert images, "the pointer's image is told"
    assert cursor is not None
    assert images[-1].width > 1


def test_a_resting_pointer_that_moves_is_noticed_without_damage(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    recorder.attach(x_server, chunk_ms=700)
    recorder.hear("sealed")
    painter.core.WarpPointer(0, painter.root, 0, 0, 0, 0, 7, 9)
    painter.sync()
    for _ in range(2):
        recorder.hear("sealed")
    recorder.stop()
    assert (7, 9) in [(event.x, event.y) for event in events(recorder) if isinstance(event, CursorAt)]


def test_windows_open_change_their_title_get_the_focus_and_close(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    first = painter.window(0, 0, 50, 50, 0xFF)
    painter.set_title(first, "ledger — März")
    painter.set_windows(first)
    painter.sync()
    recorder.attach(x_server)
    recorder.cut()
    second = painter.window(60, 0, 50, 50, 0xFF00)
    painter.set_title(second, "mail")
    painter.set_windows(first, second)
    painter.set_active(second)
    painter.sync()
    recorder.cut()
    painter.set_title(first, "ledger — April")
    painter.sync()
    recorder.cut()
    painter.set_windows(second)
    painter.sync()
    recorder.stop()
    told = [(body["action"], body["window"], body["title"]) for body in bodies(recorder)]
    assert told == [
        ("open", first, "ledger — März"),
        ("open", second, "mail"),
        ("focus", second, "mail"),
        ("title", first, "ledger — April"),
        ("close", first, "ledger — April"),
    ]


def test_a_title_of_any_bytes_is_recorded_as_text(x_server: XServer, painter: Painter, start: Start) -> None:
    recorder = start()
    window = painter.window(0, 0, 50, 50, 0xFF)
    data = b"\xff\xfe\x00" + b"x" * 5000
    painter.core.ChangeProperty(
        0, window, painter.atom("_NET_WM_NAME"), painter.atom("UTF8_STRING"), 8, len(data), data
    )
    painter.set_windows(window, 0x7FFFFFF)  # and a window that is none
    painter.sync()
    recorder.attach(x_server)
    recorder.stop()
    titles = [body["title"] for body in bodies(recorder)]
    assert titles == ["��" + "x" * 510, ""]


def test_a_copy_tells_its_size_and_not_its_content(x_server: XServer, painter: Painter, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server)
    owner = painter.window(0, 0, 5, 5, 0)
    clipboard = painter.atom("CLIPBOARD")
    painter.core.SetSelectionOwner(owner, clipboard, 0)
    painter.sync()
    text = b"a secret of 24 bytes ...."
    request = wait_for(painter, xcffib.xproto.SelectionRequestEvent)
    painter.core.ChangeProperty(0, request.requestor, request.property, request.target, 8, len(text), text)
    answer = xcffib.xproto.SelectionNotifyEvent.synthetic(
        request.time, request.requestor, request.selection, request.target, request.property
    )
    painter.core.SendEvent(False, request.requestor, 0, answer.pack())
    painter.sync()
    painter.fill(1, 0, 0, 9, 9)
    painter.sync()
    recorder.cut()
    recorder.stop()
    assert {"event": "clipboard", "bytes": len(text), "selection": "clipboard"} in bodies(recorder)
    source = recorder.source()
    assert not any(text in source.plaintext(chunk) for chunk in range(len(source)))


def wait_for(painter: Painter, kind: type[Any]) -> Any:
    while not isinstance(event := painter.connection.wait_for_event(), kind):
        pass
    return event


def test_nothing_of_a_pause_is_recorded(x_server: XServer, painter: Painter, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server)
    painter.fill(0x010203, 0, 0, 640, 400)
    painter.sync()
    recorder.say("pause", reason="break")
    paused = recorder.hear("paused")
    private = painter.window(0, 0, 640, 400, 0xC0FFEE)
    painter.set_title(private, "private matters")
    painter.set_windows(private)
    painter.sync()
    recorder.say("event", event={"event": "mark", "text": "unseen"})
    recorder.say("cut")
    painter.set_windows()
    painter.core.DestroyWindow(private)
    painter.fill(0x040506, 0, 0, 640, 400)
    painter.sync()
    recorder.say("resume")
    resumed = recorder.hear("resumed")
    recorder.stop()
    source = recorder.source()
    assert (paused["chunks"], len(source)) == (1, 2)
    assert source.span(0)[1] == paused["at"] <= resumed["at"] == source.span(1)[0]
    everything = b"".join(source.plaintext(chunk) for chunk in range(len(source)))
    assert bytes([0xEE, 0xFF, 0xC0]) not in everything
    assert b"private" not in everything
    assert b"unseen" not in everything
    assert last_frame(source).pixels[:3] == bytes([6, 5, 4])


def test_chunks_follow_each_other_without_a_gap_even_when_nothing_happens(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    attached = recorder.attach(x_server, chunk_ms=300, keyframe_ms=60_000)
    for _ in range(5):
        recorder.hear("sealed")
    stopped = recorder.stop()
    spans = [(line["record"]["from"], line["record"]["to"]) for line in recorder.sealed()]
    assert spans[0][0] == attached["at"] >= START
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    assert all(end - begin <= 300 for begin, end in spans[:-1])
    assert spans[-1][1] <= stopped["at"]
    assert stopped["chunks"] == len(spans)
    assert all(line["record"]["size"] < 120 for line in recorder.sealed()[1:]), "an idle chunk is tiny"


def test_a_chunk_names_the_newest_block_that_was_known(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    recorder.attach(x_server)
    recorder.cut()
    recorder.say("seen", height=9, hash="cd" * 32, time=0)
    recorder.cut()
    recorder.say("seen", height=4, hash="ef" * 32, time=0)  # older than what is known: ignored
    recorder.stop()
    heights = [line["record"]["seen"]["height"] for line in recorder.sealed()]
    assert heights == [3, 9, 9]
    assert recorder.source().plaintext(1)


def test_what_other_parts_observe_is_recorded(x_server: XServer, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server)
    recorder.say("event", event={"event": "client", "action": "connect"})
    recorder.stop()
    assert bodies(recorder) == [{"event": "client", "action": "connect"}]


def test_statistics_come_at_the_end(x_server: XServer, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server)
    recorder.stop()
    stats = next(line for line in recorder.said if line["is"] == "stats")
    assert stats["frames"] == 2 or stats["frames"] == 1
    assert stats["stored"] == sum(line["record"]["size"] for line in recorder.sealed())
    assert stats["raw"] == sum(line["raw"] for line in recorder.sealed())
    assert 0 < stats["rss"] < 1 << 27


def test_no_chunk_that_names_a_block_ends_before_it_when_the_chains_clock_is_set_forward(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    recorder.attach(x_server)
    later = START + 3_600_000
    recorder.say("seen", height=9, hash="cd" * 32, time=later)
    recorder.cut()
    recorder.stop()
    records = [line["record"] for line in recorder.sealed()]
    assert records[0]["seen"]["height"] == 3
    assert records[0]["to"] < later
    assert all(record["to"] >= later for record in records if record["seen"]["height"] == 9)
    assert all(one["to"] == next_["from"] for one, next_ in itertools.pairwise(records))
