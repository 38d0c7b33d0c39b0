"""Run the demo. `--keep` leaves the instance running; `--out DIR` is where the bundle and pictures go."""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from demo import attacks, work
from demo.instance import Instance, judge
from demo.screen import different_pixels
from demo.table import Findings

SIZE = (1280, 800)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the instance running")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="lucid-demo-"))
    # A short linger: the demo's user does not come back after disconnecting.
    environment = {**os.environ, "LUCID_SESSIONS_LINGER_S": "2"}
    found = Findings()
    try:
        with Instance(data, out / "up.log", environment) as instance:
            run(instance, out, found)
            found.show()
            if options.keep:
                keep(instance)
    finally:
        if not options.keep:
            shutil.rmtree(data, ignore_errors=True)
    say("All is as it must be." if found.well else "Something is NOT as it must be: see the table.")
    return 0 if found.well else 1


def run(instance: Instance, out: Path, found: Findings) -> None:
    """The main job once, and a second short session for the attacker to borrow from."""
    say(f"an instance runs at {instance.url}")
    with work.Person(instance, SIZE) as person:
        found.expect(
            "connect: API call to first desktop pixel",
            f"{person.connect_seconds:.2f} s",
            person.connect_seconds < 5,
        )
        say("working on the desktop for about 30 s")
        person.work()
        shot = person.settle()
        session = person.session
    say("disconnected; the session closes and is anchored")
    closed = instance.until(session, within=60, state="closed", anchored=True)
    say("a second, short session")
    with work.Person(instance, SIZE) as other:
        other.glance()
        other_session = other.session
    instance.until(other_session, within=60, state="closed", anchored=True)

    bundle, trust = out / f"{session}.lucid", out / "trust.json"
    instance.lucid("session", "export", session, "-o", str(bundle), "--trust", str(trust))
    foreign = out / "other-session.lucid"
    instance.lucid("session", "export", other_session, "-o", str(foreign))

    figures(instance, session, closed, found)
    pictures(instance, session, out, shot, found)
    verdicts(bundle, trust, foreign, found)
    chain = instance.lucid("chain", "verify")
    found.expect("chain, executed anew from genesis", f"holds, {chain['height'] + 1} blocks", True)
    foreign.unlink()


def figures(instance: Instance, session: str, closed: dict[str, object], found: Findings) -> None:
    numbers = instance.get(f"/sessions/{session}/statistics")
    raw, stored, frames = numbers["raw_bytes"], numbers["stored_bytes"], numbers["recorder"]["frames"]
    found.expect("frames recorded", f"{frames}", frames > 0)
    found.expect(
        "chunks", f"{closed['chunks_acknowledged']}", closed["chunks_acknowledged"] == closed["chunks_stored"]
    )
    found.measured("raw, stored", f"{raw / 1e6:.1f} MB, {stored / 1e6:.2f} MB")
    found.expect("saved by compression", f"{100 * (1 - stored / raw):.1f} %", stored < 0.3 * raw)
    found.measured("blocks", f"{instance.lucid('status')['chain']['height']}")
    delay = numbers["anchoring_delay_ms"]
    found.expect("anchoring delay of the close record", f"{delay / 1000:.1f} s", delay < 25_000)


def pictures(instance: Instance, session: str, out: Path, shot: Image.Image, found: Findings) -> None:
    for frame in ("first", "last"):
        instance.lucid("session", "replay", session, "--frame", frame, "-o", str(out / f"{frame}.png"))
    shot.save(out / "screenshot.png")
    with Image.open(out / "last.png") as last:
        wrong = different_pixels(last, shot)
    found.expect("last frame against a screenshot by xwd", f"{wrong} different pixels", wrong == 0)
    video = instance.lucid("session", "video", session, "-o", str(out / f"{session}.webm"))
    found.expect("as a video, for watching", f"{video['bytes'] / 1e6:.1f} MB", video["bytes"] > 0)


def verdicts(bundle: Path, trust: Path, foreign: Path, found: Findings) -> None:
    code, report = judge(bundle, trust)
    found.expect("the bundle", f"{report['verdict']} ({code})", code == 0)
    if report.get("windows"):
        width = max(each["not_after_ms"] - each["not_before_ms"] for each in report["windows"])
        found.measured("widest window of a chunk", f"{width / 1000:.0f} s between two blocks")
    with tempfile.TemporaryDirectory() as scratch:
        for attack in attacks.ALL:
            copy = attack.make(bundle, foreign, Path(scratch))
            code, report = judge(copy, trust)
            why = report["findings"][0] if report["findings"] else {"where": "?", "message": "no finding"}
            found.expect(
                attack.title,
                f"{report['verdict']} ({code}): {why['where']}: {why['message']}",
                code in attack.accepted,
            )
        stranger = attacks.someone_elses_policy(Path(scratch))
        code, report = judge(bundle, stranger)
        found.expect("someone else's trust policy", f"{report['verdict']} ({code})", code == 3)


def keep(instance: Instance) -> None:
    made = instance.lucid("session", "create")
    say("left running; a session for you:")
    print(
        f"  xfreerdp /v:{made['host']}:{made['port']} /u:{made['username']} /p:{made['password']}"
        " /size:1280x800 /bpp:32 /cert:ignore"
    )
    print(f"  lucid --data {instance.data} status")
    print(f"  Ctrl-C here, or kill {instance.pid}, ends it; remove {instance.data} afterwards.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        instance.wait()


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
