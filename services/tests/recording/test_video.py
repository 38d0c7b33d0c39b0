"""A video shows the pictures it was given, each as long as it stood; one that broke off is not whole."""

from __future__ import annotations

import io
import subprocess
import sys

import av
from PIL import Image

from lucid.recording.pictures import ended, packed

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, colour)


def encode(*pieces: bytes) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-I", "-m", "lucid.recording.video"]
    return subprocess.run(argv, input=b"".join(pieces), capture_output=True, check=False, timeout=60)


def shown(video: bytes) -> list[tuple[int, Image.Image]]:
    """Time in ms and picture of each frame."""
    with av.open(io.BytesIO(video)) as container:
        frames = container.decode(video=0)
        return [(round(frame.time * 1000), frame.to_image()) for frame in frames if frame.time is not None]


def colour_at(picture: Image.Image, x: int, y: int) -> str:
    """Which of red, green and blue is brightest there, or black."""
    found = picture.getpixel((x, y))
    assert isinstance(found, tuple)
    return "black" if max(found) < 25 else ("red", "green", "blue")[found.index(max(found))]


def test_pictures_are_shown_from_their_time_on() -> None:
    done = encode(packed(plain(RED), 0), packed(plain(GREEN), 120), packed(plain(BLUE), 700), ended(1500))
    assert done.returncode == 0, done.stderr
    frames = shown(done.stdout)
    assert [at for at, _ in frames] == [0, 120, 700, 1500]
    assert [colour_at(picture, 30, 20) for _, picture in frames] == ["red", "green", "blue", "blue"]


def test_a_picture_that_stands_is_shown_again_so_that_a_player_can_jump_there() -> None:
    frames = shown(encode(packed(plain(RED), 0), packed(plain(BLUE), 12_000), ended(12_000)).stdout)
    assert [(at, colour_at(picture, 30, 20)) for at, picture in frames] == [
        (0, "red"),
        (5000, "red"),
        (10_000, "red"),
        (12_000, "blue"),
        (12_001, "blue"),
    ]


def test_a_desktop_that_changed_its_size_is_fitted_in_whole() -> None:
    wide, small = plain(GREEN, (640, 48)), plain(BLUE, (32, 24))
    frames = shown(
        encode(packed(plain(RED, (63, 47)), 0), packed(wide, 100), packed(small, 200), ended(300)).stdout
    )
    assert {picture.size for _, picture in frames} == {(64, 48)}
    assert [colour_at(frames[1][1], 32, y) for y in (2, 24, 45)] == ["black", "green", "black"]
    assert [colour_at(frames[2][1], x, 24) for x in (4, 32, 60)] == ["black", "blue", "black"]


def test_a_source_that_breaks_off_makes_no_whole_video() -> None:
    whole = packed(plain(RED), 0) + packed(plain(BLUE), 100)
    for broken in (b"", whole, whole[:-1], whole[: len(whole) // 2 + 5]):
        assert encode(broken).returncode == 1


def test_a_recording_without_a_picture_makes_no_video() -> None:
    assert encode(ended(100)).stdout == b""
