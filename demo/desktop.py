"""A person at a remote desktop: a real xfreerdp on an X screen that nobody sees.

    with XvfbClient() as client:
        client.start("127.0.0.1", 13389, user, password)
        client.wait_for_pixels()
        client.type_text("ls\\n")
        client.screenshot().save(Path("work.png"))

Everything blocks; in asyncio call it through `asyncio.to_thread`. It needs Xvfb, xfreerdp and xdotool.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import xcffib
import xcffib.xproto

_POLL = 0.01  # seconds between two looks at the screen
_LIT = 500  # pixels that are not black, from which on a screen shows something


class ClientFailed(AssertionError):
    """The client ended or did not show what was waited for; the message has the end of its log."""


@dataclass(frozen=True)
class Screenshot:
    """What a screen shows: rows from the top, 4 bytes a pixel (blue, green, red, unused)."""

    width: int
    height: int
    bgrx: bytes

    @property
    def lit(self) -> int:
        """How many pixels are not black, at least: the brightest channel's count."""
        channels = (self.bgrx[channel::4] for channel in range(3))
        return max(len(channel) - channel.count(0) for channel in channels)

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        """Red, green and blue of one pixel."""
        at = 4 * (y * self.width + x)
        return self.bgrx[at + 2], self.bgrx[at + 1], self.bgrx[at]

    def save(self, path: Path) -> None:
        """Write it as an image file; the name's ending says which kind."""
        from PIL import Image  # only those who save need Pillow

        Image.frombuffer("RGB", (self.width, self.height), self.bgrx, "raw", "BGRX", 0, 1).save(path)


class XvfbClient:
    """xfreerdp on an X screen of its own. `stop` (or leaving the `with` block) ends both."""

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        self.width = width
        self.height = height
        self._folder = Path(tempfile.mkdtemp(prefix="lucid-client-"))
        self._screen: subprocess.Popen[bytes] | None = None
        self._client: subprocess.Popen[bytes] | None = None
        self._connection: xcffib.Connection | None = None
        self.display = ""

    # -- the client's life ----------------------------------------------------------------------------------

    def start(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        *,
        fingerprint: str | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        """Connect; returns when the client has been started, not when it shows something.

        `fingerprint` is the SHA-256 the server's certificate must have (hexadecimal); None accepts any.
        FreeRDP 2 logs in at once only with a password from the command line, in which it overwrites it.
        """
        self.start_screen()
        trust = f"/cert:fingerprint:sha256:{_colons(fingerprint)}" if fingerprint else "/cert:ignore"
        size = f"/size:{self.width}x{self.height}"
        argv = [
            "xfreerdp",
            f"/v:{host}:{port}",
            f"/u:{user}",
            trust,
            size,
            "/bpp:32",
            f"/p:{password}",
            *options,
        ]
        env = {
            "DISPLAY": self.display,
            "HOME": str(self._folder),
            "PATH": os.environ["PATH"],
        }
        with self.log_path.open("wb") as log:
            self._client = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def start_screen(self) -> None:
        """Start the X screen alone; `start` does it when it was not done."""
        if self._screen is not None:
            return
        told, tell = os.pipe()
        argv = ["Xvfb", "-displayfd", str(tell), "-screen", "0", f"{self.width}x{self.height}x24", "-br"]
        argv += ["-nolisten", "tcp", "-noreset"]
        with (self._folder / "screen.log").open("wb") as log:
            self._screen = subprocess.Popen(argv, pass_fds=[tell], stdout=log, stderr=log)
        os.close(tell)
        with os.fdopen(told, "rb") as number:
            self.display = f":{number.readline().decode().strip()}"
            number.read()
        if self.display == ":":
            raise ClientFailed("Xvfb did not start: " + (self._folder / "screen.log").read_text())

    def disconnect(self) -> None:
        """End xfreerdp; the screen stays, for a `start` later."""
        if self._client is not None:
            _end(self._client)
            self._client = None

    def stop(self) -> None:
        """End everything and remove what it wrote."""
        self.disconnect()
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None
        if self._screen is not None:
            _end(self._screen)
            self._screen = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait_until_closed(self, timeout: float = 10.0) -> int:
        """Wait until xfreerdp has ended by itself; its exit status."""
        assert self._client is not None
        try:
            return self._client.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ClientFailed(f"xfreerdp still runs after {timeout:g} s\n{self.log}") from None

    @property
    def running(self) -> bool:
        """Whether xfreerdp runs."""
        return self._client is not None and self._client.poll() is None

    @property
    def log_path(self) -> Path:
        """Where xfreerdp writes."""
        return self._folder / "client.log"

    @property
    def log(self) -> str:
        """The end of what xfreerdp wrote."""
        return self.log_path.read_text(errors="replace")[-2000:] if self.log_path.exists() else ""

    # -- looking --------------------------------------------------------------------------------------------

    def screenshot(self) -> Screenshot:
        """What the screen shows now."""
        if self._connection is None:
            self._connection = xcffib.connect(self.display)
        root = self._connection.get_setup().roots[0]
        image = self._connection.core.GetImage(
            xcffib.xproto.ImageFormat.ZPixmap, root.root, 0, 0, self.width, self.height, 0xFFFFFFFF
        ).reply()
        return Screenshot(self.width, self.height, bytes(image.data.buf()))

    def wait_for_pixels(self, timeout: float = 15.0, lit: int = _LIT) -> Screenshot:
        """Wait until at least `lit` pixels are not black."""
        return self.wait_until(lambda shown: shown.lit >= lit, timeout, f"{lit} pixels that are not black")

    def wait_until(
        self, holds: Callable[[Screenshot], bool], timeout: float = 15.0, what: str = "it"
    ) -> Screenshot:
        """Wait until the screen is as `holds` says."""
        deadline = time.monotonic() + timeout
        while True:
            shown = self.screenshot()
            if holds(shown):
                return shown
            if self._client is not None and self._client.poll() is not None:
                raise ClientFailed(f"xfreerdp ended with status {self._client.returncode}\n{self.log}")
            if time.monotonic() > deadline:
                raise ClientFailed(f"{what} did not show within {timeout:g} s\n{self.log}")
            time.sleep(_POLL)

    # -- doing ----------------------------------------------------------------------------------------------

    def type_text(self, text: str, delay_ms: int = 12) -> None:
        """Type on the keyboard; a line feed is the Return key."""
        for number, line in enumerate(text.split("\n")):
            if number:
                self.press("Return")
            if line:
                self._xdotool("type", "--delay", str(delay_ms), "--", line)

    def press(self, *keys: str) -> None:
        """Press keys by their X names, such as `Return` or `ctrl+c`."""
        self._xdotool("key", "--delay", "20", "--", *keys)

    def move(self, x: int, y: int) -> None:
        """Move the pointer."""
        self._xdotool("mousemove", "--sync", str(x), str(y))

    def click(self, x: int, y: int, button: int = 1) -> None:
        """Click somewhere."""
        self._xdotool("mousemove", str(x), str(y), "click", str(button))

    def drag(self, start: tuple[int, int], end: tuple[int, int], button: int = 1) -> None:
        """Press a button at `start`, move to `end`, let go."""
        begin, finish = [str(each) for each in start], [str(each) for each in end]
        down, up = ["mousedown", str(button)], ["mouseup", str(button)]
        self._xdotool("mousemove", *begin, *down, "mousemove", *finish, *up)

    def _xdotool(self, *arguments: str) -> None:
        env = {"DISPLAY": self.display, "PATH": os.environ["PATH"]}
        subprocess.run(["xdotool", *arguments], env=env, check=True, timeout=60, capture_output=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _colons(fingerprint: str) -> str:
    return ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
