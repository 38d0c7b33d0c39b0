"""`python -m lucid.recording.video`: pictures on stdin become a video on stdout, WebM with VP9.

A process of its own: an encoder is large, busy, and written in C; whoever records must neither wait for it
nor fall with it. It gets pictures and nothing else, no key and no file. A video is for watching: it is lossy,
and proves nothing.
"""

from __future__ import annotations

import os
import sys
from fractions import Fraction
from typing import BinaryIO, Final

import av
from av.video.stream import VideoStream
from PIL import Image

from lucid.recording.pictures import pictures

_REPEAT_MS: Final = 5_000
"""A picture that stands is shown again so often, so that a player finds one near wherever it jumps to."""
_OPTIONS: Final = {
    "deadline": "realtime",
    "cpu-used": "7",
    "tune-content": "screen",
    "row-mt": "1",
    "crf": "30",
    "b": "0",
    "g": "120",
}
_NICE: Final = 10


class Sink:
    """What a container is written to: a stream that nobody can rewind."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        return self._out.write(data)


class Video:
    """A video that grows, in the size of its first picture; others are fitted in, whole."""

    def __init__(self, out: BinaryIO, width: int, height: int) -> None:
        # Colours are stored for two by two pixels: an odd side gets a line more.
        self._size = (width + width % 2, height + height % 2)
        self._container = av.open(Sink(out), "w", format="webm")
        stream = self._container.add_stream("libvpx-vp9", options=_OPTIONS)
        if not isinstance(stream, VideoStream):
            raise TypeError("the encoder makes no video")
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        self._stream = stream
        self._shown: av.VideoFrame | None = None
        self._at = -1

    def show(self, picture: Image.Image, at_ms: int) -> None:
        """Show a picture from `at_ms` on."""
        self._stand_until(at_ms)
        fitted = av.VideoFrame.from_image(self._fitted(picture))  # type: ignore[no-untyped-call]
        self._shown = fitted.reformat(format="yuv420p")
        self._put(at_ms)

    def end(self, at_ms: int) -> None:
        """Let the last picture stand until `at_ms`, and finish."""
        self._stand_until(at_ms)
        self._put(at_ms)
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()

    def _stand_until(self, at_ms: int) -> None:
        while self._shown is not None and at_ms - self._at > _REPEAT_MS:
            self._put(self._at + _REPEAT_MS)

    def _put(self, at_ms: int) -> None:
        if self._shown is None:
            return
        # Two pictures of one millisecond follow each other.
        self._at = max(at_ms, self._at + 1)
        self._shown.pts, self._shown.time_base = self._at, Fraction(1, 1000)
        for packet in self._stream.encode(self._shown):
            self._container.mux(packet)

    def _fitted(self, picture: Image.Image) -> Image.Image:
        if picture.size == self._size:
            return picture
        if picture.width > self._size[0] or picture.height > self._size[1]:
            picture.thumbnail(self._size)
        whole = Image.new("RGB", self._size)
        whole.paste(picture, ((self._size[0] - picture.width) // 2, (self._size[1] - picture.height) // 2))
        return whole


def main() -> int:
    os.nice(_NICE)
    video: Video | None = None
    for picture, at_ms in pictures(sys.stdin.buffer):
        if picture is None:
            if video is not None:
                video.end(at_ms)
            return 0
        video = video or Video(sys.stdout.buffer, picture.width, picture.height)
        video.show(picture, at_ms)
    # Whoever sent pictures is gone: a video that breaks off must not look whole.
    return 1


if __name__ == "__main__":
    sys.exit(main())
