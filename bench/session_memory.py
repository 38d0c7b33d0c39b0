"""Memory that one recorded session adds, over all processes, and whether it grows while somebody works.

    .venv/bin/python bench/session_memory.py [seconds, default 60]

Starts an instance, makes a session, logs in with a real xfreerdp (which is not counted), lets a terminal
scroll and a window be dragged about until the time is over. Counts proportional set sizes (PSS, proc(5)
smaps_rollup), so that pages which processes share count once. Needs root. Prints a table; exit status 1 if
the last third of the time needs over 5 % more than the first.
"""

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from demo.instance import Instance
from demo.work import TERMINAL, Person

EVERY_S, MAX_GROWTH = 2.0, 1.05
SCROLL = "while :; do i=$((i+1)); echo $i the quick brown fox jumps over the lazy dog; sleep 0.05; done\n"
Memory = dict[str, float]


def family(root: int) -> list[int]:
    """A process and all that descend from it."""
    children = defaultdict(list)
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        children[int(fields[1])].append(int(each.parent.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def name_of(pid: int) -> str:
    """What a process is: the module of a Python process, else its program."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return words[words.index("-m") + 1] if "-m" in words else Path(words[0].split(" ")[0]).name.rstrip(":")


def memory(root: int) -> Memory:
    """PSS of the family, MB by name."""
    found: Memory = defaultdict(float)
    for pid in family(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            found[name_of(pid)] += (
                next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3
            )
        except (OSError, StopIteration):
            continue  # it ended meanwhile
    return found


def work(person: Person, seconds: float, root: int) -> list[Memory]:
    """Somebody works; samples of the memory meanwhile."""
    person.type("xterm -geometry 60x16+20+20 -bg midnightblue -fg white -e top -d 1 &\n")
    time.sleep(2)
    person.click(*TERMINAL)
    person.type(SCROLL)
    samples, down = [], True
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        top, bottom = (200, 30), (200, 470)
        person.drag(*((top, bottom) if down else (bottom, top)))
        down = not down
        samples.append(memory(root))
        time.sleep(EVERY_S)
    return samples


def median(samples: list[Memory], name: str) -> float:
    return statistics.median(sample.get(name, 0.0) for sample in samples)


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with (
        tempfile.TemporaryDirectory() as folder,
        Instance(Path(folder) / "data", Path(folder) / "up.log", dict(os.environ)) as instance,
    ):
        with Person(instance, (1280, 800)) as warm:  # what a first session makes the services load
            warm.glance()
        instance.until(warm.session, within=60, state="closed")
        time.sleep(2)
        before = memory(instance.pid)
        with Person(instance, (1280, 800)) as person:
            samples = work(person, seconds, instance.pid)
    third = max(1, len(samples) // 3)
    first, last = samples[:third], samples[-third:]
    names = sorted({name for sample in [before, *samples] for name in sample}, key=lambda n: -median(last, n))
    print(f"{seconds:g} s of work, {len(samples)} samples; MB of PSS, medians")
    print(f"{'process':28}{'without':>9}{'first third':>13}{'last third':>12}")
    for name in names:
        print(f"{name:28}{before.get(name, 0):9.1f}{median(first, name):13.1f}{median(last, name):12.1f}")
    was, begun, ended = (
        sum(before.values()),
        *(statistics.median(map(_total, part)) for part in (first, last)),
    )
    print(f"{'all':28}{was:9.1f}{begun:13.1f}{ended:12.1f}")
    growth = (ended - was) / (begun - was)
    print(f"one session adds {ended - was:.1f} MB; growth {growth:.3f} (must be ≤ {MAX_GROWTH})")
    return 0 if growth <= MAX_GROWTH else 1


def _total(sample: Memory) -> float:
    return sum(sample.values())


if __name__ == "__main__":
    sys.exit(main())
