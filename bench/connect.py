"""Connect: from the API call to the first pixel of the desktop at the client, over a whole instance.

    .venv/bin/python bench/connect.py [--rounds 20]

Starts `lucid up` on a directory of its own, makes sessions one after the other, logs in with a real xfreerdp
under Xvfb, and looks at that display until something is not black: the gate opens only after the recorder has
its first frame, so black is all there is before. Needs root. Exit status 0 if the 95th percentile is below
2.5 s.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import xcffib
import xcffib.xproto

LIMIT_S = 2.5
GIVE_UP_S = 30.0
SIZE = (1280, 800)


@contextlib.contextmanager
def instance(data: Path) -> Iterator[httpx.Client]:
    """`lucid up`, and a client with its operator's token."""
    lucid = Path(sys.executable).with_name("lucid")
    with (data.parent / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [lucid, "--data", data, "up", "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert up.stdout is not None
    try:
        line = up.stdout.readline()
        if not line:
            raise SystemExit((data.parent / "up.log").read_text()[-3000:])
        token = (data / "operator.token").read_text("ascii").strip()
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=json.loads(line)["api"], headers=headers, timeout=60) as api:
            yield api
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)
        up.stdout.close()


@contextlib.contextmanager
def display() -> Iterator[str]:
    """A black display for the client."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            yield ":" + pipe.readline().strip()
    finally:
        server.terminate()
        server.wait()


def first_pixel(connection: xcffib.Connection, deadline: float) -> float:
    """When something on the display is not black any more."""
    root = connection.get_setup().roots[0].root
    while (now := time.perf_counter()) < deadline:
        cookie = connection.core.GetImage(
            xcffib.xproto.ImageFormat.ZPixmap, root, 0, 0, SIZE[0], SIZE[1], 0xFFFFFF
        )
        if any(bytes(cookie.reply().data.buf())):
            return now
        time.sleep(0.005)
    raise SystemExit("no pixel came")


def connect(api: httpx.Client) -> tuple[float, float]:
    """Seconds from the call to its answer, and to the first pixel."""
    with display() as name:
        connection = xcffib.connect(name)
        began = time.perf_counter()
        made = (
            api.post("/api/v1/sessions", json={"width": SIZE[0], "height": SIZE[1]}).raise_for_status().json()
        )
        answered = time.perf_counter()
        client = subprocess.Popen(
            [
                "xfreerdp",
                f"/v:{made['host']}:{made['port']}",
                f"/u:{made['username']}",
                f"/p:{made['password']}",
                "/cert:ignore",
                f"/size:{SIZE[0]}x{SIZE[1]}",
                "/bpp:32",
                "/log-level:OFF",
            ],
            env={**os.environ, "DISPLAY": name},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            seen = first_pixel(connection, began + GIVE_UP_S)
        finally:
            client.kill()
            client.wait()
            connection.disconnect()
        api.post(f"/api/v1/sessions/{made['id']}/stop").raise_for_status()
    return answered - began, seen - began


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=20)
    rounds = arguments.parse_args().rounds
    answers, pixels = [], []
    with tempfile.TemporaryDirectory() as directory, instance(Path(directory) / "data") as api:
        for number in range(1, rounds + 1):
            answered, seen = connect(api)
            answers.append(answered)
            pixels.append(seen)
            print(f"{number:3}  answer {answered:.3f} s   first pixel {seen:.3f} s", flush=True)
    p95 = sorted(pixels)[min(rounds - 1, round(rounds * 0.95) - 1)]
    print(f"answer p50 {statistics.median(answers):.3f} s; first pixel p50 {statistics.median(pixels):.3f} s")
    print(f"first pixel p95 {p95:.3f} s, {p95 / LIMIT_S:.2f} of the limit of {LIMIT_S} s")
    return 0 if p95 < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
