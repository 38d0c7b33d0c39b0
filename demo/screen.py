"""Screenshots of a session's own display, taken by `xwd` and therefore not by our code."""

import os
import struct
import subprocess
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class Display:
    """An X display inside a session's namespaces, as GET /rdp/servers/{id}/status shows it to root."""

    name: str
    pid: int
    xauthority: str

    def environment(self) -> dict[str, str]:
        # The host sees the session's files below /proc/PID/root; a program inside sees them without that.
        inside = self.xauthority.removeprefix(f"/proc/{self.pid}/root")
        return {"PATH": os.environ["PATH"], "DISPLAY": self.name, "XAUTHORITY": inside}

    def screenshot(self) -> Image.Image:
        """What is on the screen now, without the pointer."""
        argv = ["nsenter", "--target", str(self.pid), "--mount", "--", "xwd", "-root", "-silent"]
        dump = subprocess.run(argv, env=self.environment(), check=True, capture_output=True).stdout
        return from_xwd(dump)


def from_xwd(dump: bytes) -> Image.Image:
    """An X window dump (X11/XWDFile.h, version 7, ZPixmap, 32 bits a pixel) as a picture."""
    fields = struct.unpack(">25I", dump[:100])
    header, version, layout, _depth, width, height = fields[:6]
    bits, stride, colours = fields[11], fields[12], fields[19]
    if (version, layout, bits) != (7, 2, 32):
        raise ValueError(
            f"this dump is version {version}, format {layout}, {bits} bits a pixel; wanted 7, 2, 32"
        )
    pixels = dump[header + 12 * colours :]
    return Image.frombuffer("RGB", (width, height), pixels[: stride * height], "raw", "BGRX", stride, 1)


def different_pixels(one: Image.Image, other: Image.Image) -> int:
    """How many pixels differ; all of them if the sizes do."""
    if one.size != other.size:
        return max(one.width * one.height, other.width * other.height)
    a, b = one.convert("RGB").tobytes(), other.convert("RGB").tobytes()
    if a == b:
        return 0
    return sum(a[i : i + 3] != b[i : i + 3] for i in range(0, len(a), 3))
