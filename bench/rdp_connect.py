"""From the API call to the first desktop pixel at a real client, for the RDP server manager alone.

    make bench-connect

Each round: POST /rdp/servers; with its answer xfreerdp is started and, as soon as the display is up, the
gate is opened (as the sessions service does once its recorder is attached); the round ends when more than
500 pixels of the client's screen are not black. The client's own X screen is started beforehand. Needs
root.
"""

import concurrent.futures
import statistics
import sys
import tempfile
import time
from pathlib import Path

from support.manager import Manager

from demo.desktop import XvfbClient

PHASES = (
    "create → ready",
    "create → display up",
    "ready → logged in",
    "ready → first pixel",
    "create → first pixel",
)
LIMIT_S = 2.5


def one_round(manager: Manager, number: int) -> tuple[float, ...]:
    """The phases of one connection, in seconds."""
    with XvfbClient() as client, concurrent.futures.ThreadPoolExecutor(1) as side:
        client.start_screen()
        client.screenshot()
        begin = time.monotonic()
        server = manager.create(f"ses_{number}")
        ready = time.monotonic()

        def open_the_gate() -> tuple[float, float]:
            manager.with_display(server["id"])
            up = time.monotonic()
            manager.call("POST", f"/rdp/servers/{server['id']}/admit")
            manager.until(server["id"], client_connected=True, timeout=20)
            return up, time.monotonic()

        gate = side.submit(open_the_gate)
        client.start(server["host"], server["port"], server["username"], server["password"])
        client.wait_for_pixels()
        shown = time.monotonic()
        up, logged_in = gate.result()
        manager.delete(server["id"])
    return ready - begin, up - begin, logged_in - ready, shown - ready, shown - begin


def main() -> int:
    """Print p50 and p95 of each phase; the exit status tells whether the whole stays below the limit."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with (
        tempfile.TemporaryDirectory(prefix="lucid-bench-") as folder,
        Manager(Path(folder) / "data") as manager,
    ):
        measured = [one_round(manager, number) for number in range(rounds)]
    print(f"{'seconds, ' + str(rounds) + ' rounds':<24} {'p50':>7} {'p95':>7} {'max':>7}")
    worst = 0.0
    for name, values in zip(PHASES, zip(*measured, strict=True), strict=True):
        worst = statistics.quantiles(values, n=20, method="inclusive")[18]
        print(f"{name:<24} {statistics.median(values):7.3f} {worst:7.3f} {max(values):7.3f}")
    print(f"p95 is {worst / LIMIT_S:.2f} of the {LIMIT_S:g} s it must stay below")
    return 0 if worst < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
