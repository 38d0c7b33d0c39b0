"""A person at a recorded desktop: connects with xfreerdp, works with keyboard and mouse, leaves."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from PIL import Image

from demo.desktop import XvfbClient
from demo.instance import Instance
from demo.screen import Display, different_pixels
from lucid_proof.canonical import encode

TERMINAL = (760, 420)
"""A place inside the first terminal, which the window manager puts in the middle."""
SCROLL = "for i in $(seq 1 4000); do echo line $i of the work we do here, in full view; done\n"


class Person:
    """Creates a session by the API and logs in; leaving the block disconnects.

    Attributes
    ----------
    session
        Its id.
    connect_seconds
        From the API call to the first pixel of the desktop on the person's screen.
    """

    def __init__(self, instance: Instance, size: tuple[int, int], receipt: Path | None = None) -> None:
        self._instance = instance
        self._receipt = receipt
        self._client = XvfbClient(*size)

    def __enter__(self) -> Self:
        size = {"width": self._client.width, "height": self._client.height}
        self._client.start_screen()
        began = time.monotonic()
        made = self._instance.post("/sessions", size)
        self.session: str = made["id"]
        if self._receipt is not None:
            self._receipt.write_bytes(encode(made["receipt"]))
        self._client.start(made["host"], made["port"], made["username"], made["password"])
        self._client.wait_for_pixels(timeout=30)
        self.connect_seconds = time.monotonic() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.stop()

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        self._client.type_text(text)

    def click(self, x: int, y: int) -> None:
        """Click somewhere."""
        self._client.click(x, y)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press the button at `start`, let go at `end`."""
        self._client.drag(start, end)

    def work(self) -> None:
        """About 30 s of real work by real programs: scrolling, windows opened, moved and closed, typing."""
        client = self._client
        until = time.monotonic() + 30
        client.type_text(SCROLL)
        time.sleep(3)
        client.type_text("xterm -geometry 60x16+20+20 -bg midnightblue -fg white -e top -d 1 &\n")
        time.sleep(1.5)
        client.click(*TERMINAL)
        client.type_text("xclock -update 1 -geometry 180x180+1000+60 &\n")
        time.sleep(1.5)
        down, title = True, (200, 30)
        while time.monotonic() < until:
            # Drag the second terminal by its title bar, then type in the first.
            target = (title[0], title[1] + (440 if down else -440))
            client.drag(title, target)
            down, title = not down, target
            client.click(*TERMINAL)
            client.type_text("ls -la /usr/bin | head -n 60; echo how are you, recorder\n", delay_ms=20)
        client.type_text("pkill top; pkill xclock; ls -la /etc | head -n 30; echo the work is done\n")

    def glance(self) -> None:
        """Look around for as long as two chunks take."""
        self._client.type_text("echo a second session\n")
        time.sleep(3)

    def display(self) -> Display:
        """The session's own display, as root on this machine reaches it."""
        rdp = self._instance.services["rdp"]
        servers = self._instance.api.get(f"{rdp}/rdp/servers").raise_for_status().json()["servers"]
        mine = next(each["id"] for each in servers if each["session"] == self.session)
        status = self._instance.api.get(f"{rdp}/rdp/servers/{mine}/status").raise_for_status().json()
        shown = status["display"]
        return Display(shown["name"], shown["ipc_pid"], shown["xauthority"])

    def settle(self, within: float = 10) -> Image.Image:
        """A screenshot of the session's display, once two in a row, a second apart, are the same."""
        display = self.display()
        deadline = time.monotonic() + within
        before = display.screenshot()
        while True:
            time.sleep(1)
            now = display.screenshot()
            if different_pixels(before, now) == 0:
                return now
            if time.monotonic() > deadline:
                raise RuntimeError(f"the desktop of {self.session} did not come to rest: nothing to compare")
            before = now
