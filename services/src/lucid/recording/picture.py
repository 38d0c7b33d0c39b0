"""A frame as a picture or a PNG file, with the pointer or without."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from lucid.recording.replay import Frame


def painted(frame: Frame, *, cursor: bool = False) -> Image.Image:
    """A frame as a picture, RGB. With `cursor`, the pointer is drawn where it was.

    Pixels are exactly the recorded ones where the pointer is not drawn.
    """
    size = (frame.width, frame.height)
    picture = Image.frombytes("RGB", size, bytes(frame.pixels), "raw", "BGRX")
    shown = frame.cursor.image if cursor and frame.cursor else None
    if shown is not None and frame.cursor is not None and shown.width and shown.height:
        shape = (shown.width, shown.height)
        # Premultiplied: result = image + (1 − alpha) · below.
        image = Image.frombytes("RGBa", shape, bytes(shown.pixels), "raw", "BGRa").convert("RGBA")
        place = (frame.cursor.x - shown.hot_x, frame.cursor.y - shown.hot_y)
        picture.paste(image, place, image)
    return picture


def frame_to_png(frame: Frame, *, cursor: bool = False) -> bytes:
    """PNG of a frame, as `painted` says."""
    out = io.BytesIO()
    painted(frame, cursor=cursor).save(out, "PNG", compress_level=6)
    return out.getvalue()
