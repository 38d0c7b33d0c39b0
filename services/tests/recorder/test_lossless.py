"""What a player shows is what was on the screen, pixel for pixel."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from lucid.recorder.camera import Camera
from lucid.recorder.x11 import dial
from lucid.recording.events import Geometry, Keyframe, decode
from lucid.recording.replay import Frame, first_frame, frames, last_frame

from .conftest import Driver, Painter, XServer

pytestmark = pytest.mark.real
Start = Callable[..., Driver]


def pixels(frame: Frame) -> bytes:
    data = bytearray(frame.pixels)
    data[3::4] = bytes(frame.width * frame.height)
    return bytes(data)


def test_the_last_frame_before_each_cut_is_the_screen_at_that_moment(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    dice = random.Random(7)
    recorder = start()
    recorder.attach(x_server, chunk_ms=60_000)
    wanted = {}
    for _ in range(25):
        for _ in range(dice.randint(1, 8)):
            painter.scribble(dice)
        painter.sync()
        wanted[recorder.cut()] = painter.screenshot()
    recorder.stop()
    for index, screenshot in wanted.items():
        assert pixels(last_frame(recorder.source(index + 1))) == screenshot, f"chunk {index}"


def test_stop_takes_a_last_picture(x_server: XServer, painter: Painter, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server)
    painter.fill(0x123456, 10, 10, 30, 20)
    painter.sync()
    recorder.stop()
    assert pixels(last_frame(recorder.source())) == painter.screenshot()


def test_the_first_frame_is_what_was_there_before(x_server: XServer, painter: Painter, start: Start) -> None:
    painter.fill(0xFF8800, 0, 0, 640, 200)
    painter.sync()
    before = painter.screenshot()
    recorder = start()
    attached = recorder.attach(x_server)
    assert (attached["width"], attached["height"]) == (640, 400)
    painter.fill(0x0000FF, 0, 0, 640, 400)
    painter.sync()
    recorder.stop()
    assert pixels(first_frame(recorder.source())) == before


def test_windows_that_move_and_real_programs_are_recorded(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    recorder.attach(x_server)
    x_server.run("xsetroot", "-mod", "5", "7", "-fg", "red", "-bg", "blue")
    window = painter.window(20, 30, 200, 100, 0x00FF00)
    for step in range(30):
        painter.core.ConfigureWindow(window, 3, [20 + 9 * step, 30 + 5 * step])
        painter.sync()
    x_server.run("xsetroot", "-solid", "#333333")
    index = recorder.cut()
    screenshot = painter.screenshot()
    painter.core.DestroyWindow(window)
    painter.sync()
    recorder.stop()
    assert pixels(last_frame(recorder.source(index + 1))) == screenshot
    assert pixels(last_frame(recorder.source())) == painter.screenshot()


def test_a_flood_of_noise_costs_frames_and_no_pixels(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    dice = random.Random(3)
    recorder = start()
    recorder.attach(x_server, chunk_bytes=512 * 1024)
    for _ in range(12):
        for y in range(0, 400, 100):
            painter.noise(dice, 0, y, 640, 100)
        painter.sync()
    recorder.say("pause")
    chunks = recorder.hear("paused")["chunks"]
    screenshot = painter.screenshot()
    recorder.stop()
    assert pixels(last_frame(recorder.source(chunks))) == screenshot
    assert all(line["raw"] <= 512 * 1024 for line in recorder.sealed())


def test_a_picture_larger_than_a_chunk_spans_several(start: Start) -> None:
    server = XServer(1600, 1200)
    try:
        painter = Painter(server)
        dice = random.Random(5)
        for _ in range(60):
            painter.scribble(dice)
        painter.sync()
        recorder = start()
        recorder.attach(server, chunk_bytes=1 << 20)
        screenshot = painter.screenshot()
        recorder.stop()
        assert len(recorder.sealed()) > 7
        assert all(line["raw"] <= 1 << 20 for line in recorder.sealed())
        assert pixels(last_frame(recorder.source())) == screenshot
        painter.connection.disconnect()
    finally:
        server.close()


def test_a_new_size_begins_a_new_chunk_with_a_whole_picture(start: Start) -> None:
    server = XServer(1280, 1024)
    try:
        painter = Painter(server)
        recorder = start()
        timings = ["38.25", "800", "832", "912", "1024", "600", "603", "607", "624"]
        server.run("xrandr", "--newmode", "small", *timings)
        server.run("xrandr", "--addmode", "screen", "small")
        recorder.attach(server)
        painter.fill(0xABCDEF, 0, 0, 700, 500)
        painter.sync()
        recorder.cut()
        resize(server, "small")
        painter.fill(0x112233, 5, 5, 300, 300)
        painter.sync()
        recorder.say("pause")
        chunks = recorder.hear("paused")["chunks"]
        small = painter.screenshot()
        recorder.say("resume")
        recorder.hear("resumed")
        resize(server, "1280x1024")
        painter.fill(0x445566, 900, 700, 300, 300)
        painter.sync()
        recorder.stop()
        source = recorder.source()
        frame = last_frame(recorder.source(chunks))
        assert (frame.width, frame.height) == (800, 600)
        assert pixels(frame) == small
        assert pixels(last_frame(source)) == painter.screenshot()
        sizes = [
            (event.width, event.height)
            for chunk in range(len(source))
            for event in decode(source.plaintext(chunk))
            if isinstance(event, Geometry)
        ]
        assert list(dict.fromkeys(sizes)) == [(1280, 1024), (800, 600)]
        assert (sizes[0], sizes[-1]) == ((1280, 1024), (1280, 1024))
        bodies = [body for body in desktop_events(recorder) if body["event"] == "resize"]
        assert [(body["width"], body["height"]) for body in bodies] == [(800, 600), (1280, 1024)]
        painter.connection.disconnect()
    finally:
        server.close()


def resize(server: XServer, mode: str) -> None:
    server.run("xrandr", "--output", "screen", "--mode", mode)


def desktop_events(recorder: Driver) -> list[dict[str, object]]:
    source = recorder.source()
    events = (event for chunk in range(len(source)) for event in decode(source.plaintext(chunk)))
    return [event.body for event in events if hasattr(event, "body")]


def test_without_shared_memory_the_picture_is_the_same(x_server: XServer, painter: Painter) -> None:
    dice = random.Random(11)
    connection = dial(x_server.socket, b"")
    shared, plain = Camera(connection), Camera(connection, shared=False)
    assert shared.shared
    assert not plain.shared
    for camera in (shared, plain):
        camera.shoot(whole=True)
    for _ in range(20):
        painter.scribble(dice)
        painter.sync()
        shots = [camera.shoot(whole=False) for camera in (shared, plain)]
        assert shots[0].areas == shots[1].areas
    for area in shared.shoot(whole=True).areas:
        assert list(shared.pixels(area)) == list(plain.pixels(area))
    connection.close()


def test_whole_pictures_come_at_least_as_often_as_was_asked(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    recorder.attach(x_server, chunk_ms=300, keyframe_ms=1000)
    for _ in range(8):
        recorder.hear("sealed")
    recorder.stop()
    source = recorder.source()
    whole = [
        source.span(chunk)[0]
        for chunk in range(len(source))
        if any(isinstance(event, Keyframe) for event in decode(source.plaintext(chunk)))
    ]
    assert len(whole) >= 2
    assert all(later - earlier <= 1000 for earlier, later in itertools.pairwise(whole))
    list(frames(source, start=0))
