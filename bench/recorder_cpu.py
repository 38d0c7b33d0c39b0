"""CPU of a recorded display beside ffmpeg x11grab (libx264 ultrafast) on the same display, in one run.

    python bench/recorder_cpu.py [seconds per phase, default 20]

Idle: a desktop where nothing happens. Busy: 100 lines a second in an xterm, and a window moved ten times a
second. Both watch at the same time, 1280x800 at 10 fps. Prints CPU seconds a minute (user and system), their
ratio, stored against raw bytes, and the pixels in which the last frame differs from a screenshot.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import xcffib
import xcffib.xproto

from lucid.recording.replay import SealedChunks, last_frame
from lucid.recording.spool import JOURNAL, chunk_name, read_journal

SESSION = "ses_01920192019271928192019201920192"
KEY = os.urandom(32)
LINES = 'i=0; while :; do i=$((i+1)); echo "$i the quick brown fox jumps over the lazy dog"; sleep 0.01; done'


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Resident memory, MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Display:
    """An Xvfb of 1280x800."""

    def __init__(self) -> None:
        read, write = os.pipe()
        argv = [
            "Xvfb",
            "-displayfd",
            str(write),
            "-screen",
            "0",
            "1280x800x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ]
        self.process = subprocess.Popen(argv, pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as ready:
            self.name = f":{int(ready.readline())}"
        self.environment = {**os.environ, "DISPLAY": self.name}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Recorder:
    """A recorder at work, and what it says."""

    def __init__(self, spool: Path, display: Display) -> None:
        self._spool = spool
        self._ours, theirs = socket.socketpair()
        read, write = os.pipe()
        os.write(write, KEY)
        os.close(write)
        moved = f'exec "$@" 3<&{theirs.fileno()} 4<&{read}'
        argv = ["bash", "-c", moved, "bash", sys.executable, "-m", "lucid.recorder"]
        self.process = subprocess.Popen(argv, pass_fds=[theirs.fileno(), read])
        theirs.close()
        os.close(read)
        self._lines = self._ours.makefile("r")
        block = {"height": 0, "hash": "00" * 32}
        times = {"start_ms": 1_700_000_000_000, "spool_limit": 1 << 33}
        self.say("configure", session=SESSION, spool=str(spool), seen=block, **times)
        self.say("attach", display={"name": display.name, "socket": f"/tmp/.X11-unix/X{display.name[1:]}"})
        self.hear("attached")

    def say(self, do: str, **rest: object) -> None:
        self._ours.sendall(json.dumps({"do": do, **rest}).encode() + b"\n")

    def hear(self, what: str) -> dict[str, int]:
        for line in self._lines:
            said: dict[str, int] = json.loads(line)
            if said["is"] == what:
                return said
        raise RuntimeError(f"the recorder ended before {what}")

    def lost_pixels(self, screenshot: bytes) -> int:
        """In how many pixels the last recorded frame differs."""
        records = read_journal(self._spool / JOURNAL, SESSION).records
        read = [(self._spool / chunk_name(record.index)).read_bytes for record in records]
        pixels = last_frame(SealedChunks(records, KEY, lambda index: read[index]())).pixels
        return sum(screenshot[at : at + 3] != pixels[at : at + 3] for at in range(0, len(screenshot), 4))


def film(display: Display, folder: Path) -> subprocess.Popen[bytes]:
    source = ["-f", "x11grab", "-framerate", "10", "-video_size", "1280x800", "-i", display.name]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "28"]
    argv = ["ffmpeg", "-loglevel", "error", *source, *codec, "-y", str(folder / "video.mkv")]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL)


def work(display: Display, seconds: float) -> None:
    argv = ["xterm", "-geometry", "100x40+10+10", "-e", "sh", "-c", LINES]
    terminal = subprocess.Popen(argv, env=display.environment, stderr=subprocess.DEVNULL)
    painter = xcffib.connect(display.name)
    screen, window = painter.get_setup().roots[0], painter.generate_id()
    mask, values = xcffib.xproto.CW.BackPixel, [0x3366AA]
    painter.core.CreateWindow(
        24, window, screen.root, 700, 100, 300, 200, 1, 1, screen.root_visual, mask, values
    )
    painter.core.MapWindow(window)
    for step in range(int(seconds * 10)):
        painter.core.ConfigureWindow(window, 3, [700 + step * 7 % 250, 100 + step * 5 % 450])
        painter.flush()
        time.sleep(0.1)
    terminal.terminate()
    terminal.wait()
    painter.disconnect()


def screenshot(display: Display) -> bytes:
    camera = xcffib.connect(display.name)
    root = camera.get_setup().roots[0].root
    pixels = bytes(camera.core.GetImage(2, root, 0, 0, 1280, 800, 0xFFFFFFFF).reply().data.buf())
    camera.disconnect()
    return pixels


def phase(name: str, seconds: float, display: Display, folder: Path) -> None:
    recorder = Recorder(folder / name, display)
    video = film(display, folder)
    time.sleep(2)
    pids = (recorder.process.pid, video.pid)
    before = [cpu_seconds(pid) for pid in pids]
    if name == "busy":
        work(display, seconds)
    else:
        time.sleep(seconds)
    ours, theirs = ((cpu_seconds(pid) - was) * 60 / seconds for pid, was in zip(pids, before, strict=True))
    memory = resident(recorder.process.pid)
    video.terminate()
    video.wait()
    recorder.say("pause")
    recorder.hear("paused")
    shown = screenshot(display)
    recorder.say("stop")
    stats = recorder.hear("stats")
    recorder.process.wait()
    raw, stored = stats["raw"], stats["stored"]
    print(
        f"{name}: recorder {ours:.2f} CPU s/min, ffmpeg {theirs:.2f} (ratio {theirs / max(ours, 0.01):.1f});"
        f" recorder RSS {memory:.0f} MB; {stats['frames']} frames, raw {raw / 1e6:.1f} MB, stored"
        f" {stored / 1e6:.3f} MB ({100 - 100 * stored / raw:.2f} % below raw), ffmpeg"
        f" {(folder / 'video.mkv').stat().st_size / 1e6:.3f} MB; pixels lost: {recorder.lost_pixels(shown)}",
        flush=True,
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    display = Display()
    try:
        subprocess.run(["xsetroot", "-solid", "#20304a"], env=display.environment, check=True)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("idle", "busy"):
                phase(name, seconds, display, Path(folder))
    finally:
        display.close()


if __name__ == "__main__":
    main()
