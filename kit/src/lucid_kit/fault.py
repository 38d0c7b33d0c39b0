"""Places where a test may end the process or fill the disk. In production each costs one look-up.

`LUCID_FAULT="name"` kills the process (SIGKILL, as a power cut would) the first time it passes that point,
`LUCID_FAULT="name:3"` the third time. `LUCID_FAULT_ERROR="name"` makes the operation there fail as if the
disk were full, every time. `LUCID_FAULT_CLOCK=FILE` sets the wall clock off by the milliseconds that the
file holds, which a test may change while the process runs; the monotonic clock goes on as it does.
"""

import errno
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_CALL = re.compile(r"""\bfault\.(point|refuse)\(\s*["']([^"']+)["']""")
_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """The process may end here: stands between two durable steps, under a comment `# Ends here: …`."""
    wanted = os.environ.get("LUCID_FAULT")
    if not wanted:
        return
    target, _, count = wanted.partition(":")
    if target != name:
        return
    _passed[name] += 1
    if _passed[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)


def refuse(name: str) -> None:
    """The disk may be full here: stands before a write.

    Raises
    ------
    OSError
        ENOSPC, if `LUCID_FAULT_ERROR` names this place.
    """
    if os.environ.get("LUCID_FAULT_ERROR") == name:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (fault {name})")


def clock_offset_ms() -> int:
    """By how much the wall clock is wrong; 0 unless `LUCID_FAULT_CLOCK` names a file with a number in it."""
    file = os.environ.get("LUCID_FAULT_CLOCK")
    if not file:
        return 0
    try:
        return int(Path(file).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def names(*roots: Path) -> dict[str, str]:
    """Every fault point and refusal in the Python sources under `roots`: name → "file:line". For tests."""
    return {name: place for root in roots for name, place in _scan(root)}


def _scan(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(root.rglob("*.py")):
        text = path.read_text("utf-8")
        for call in _CALL.finditer(text):
            line = text.count("\n", 0, call.start()) + 1
            yield call.group(2), f"{path.relative_to(root)}:{line}"
