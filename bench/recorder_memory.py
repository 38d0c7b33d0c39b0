"""Whether a recorder's memory grows: resident MB of a busy one, once a second.

    python bench/recorder_memory.py [seconds, default 30]

Prints the highest value of the first and of the last third. Growth is what the last third has more.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

from recorder_cpu import Display, Recorder, resident, work


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    display = Display()
    try:
        with tempfile.TemporaryDirectory() as folder:
            recorder = Recorder(Path(folder) / "spool", display)
            busy = threading.Thread(target=work, args=(display, seconds))
            busy.start()
            samples = []
            while busy.is_alive():
                samples.append(resident(recorder.process.pid))
                time.sleep(1)
            third = len(samples) // 3
            first, last = max(samples[:third]), max(samples[-third:])
            print(
                f"recorder RSS {first:.1f} MB in the first third of {seconds:g} s, {last:.1f} MB in the last"
            )
            recorder.say("stop")
            recorder.process.wait()
    finally:
        display.close()


if __name__ == "__main__":
    main()
