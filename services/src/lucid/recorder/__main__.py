"""`python -m lucid.recorder`: descriptor 3 is the control socket, 4 a pipe with the session's key."""

from __future__ import annotations

import os
import socket
import sys

from lucid.recorder.control import Control
from lucid.recorder.hardening import harden
from lucid.recorder.process import Recorder
from lucid.recording.sealing import KEY_SIZE

CONTROL_FD, KEY_FD = 3, 4


def main() -> int:
    harden()
    try:
        control = socket.socket(fileno=CONTROL_FD)
        with open(KEY_FD, "rb") as pipe:
            key = pipe.read(KEY_SIZE + 1)
    except OSError as error:
        print(
            f"lucid.recorder: the sessions service starts it, its socket as fd 3, the key as fd 4 ({error})",
            file=sys.stderr,
        )
        return 64
    if len(key) != KEY_SIZE:
        print(f"lucid.recorder: descriptor 4 gave {len(key)} bytes instead of {KEY_SIZE}", file=sys.stderr)
        return 64
    os.set_inheritable(CONTROL_FD, False)
    return Recorder(Control(control), key).run()


if __name__ == "__main__":
    sys.exit(main())
