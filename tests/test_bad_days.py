"""Processes die in mid-session: nothing acknowledged is lost, nothing anchored twice, and it says so."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from demo.instance import Instance, judge
from demo.work import Person
from instances import SIZE, start

pytestmark = [pytest.mark.real, pytest.mark.slow]


def find(*words: str) -> list[int]:
    """Processes whose command line has all these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(word in line for word in words):
            found.append(int(path.parent.name))
    return found


def recorder(instance: Instance, session: str) -> int:
    (pid,) = [pid for pid in find("lucid.recorder") if _parent(pid) == service(instance, "sessions")]
    return pid


def service(instance: Instance, name: str) -> int:
    module = {"chain": "lucid_blocks"}.get(name, f"lucid.{name}")
    (pid,) = [pid for pid in find("-m", module) if _parent(pid) == instance.pid]
    return pid


def inside(instance: Instance, session: str, program: str) -> int:
    """A program of the session's own tree."""
    servers = instance.api.get(f"{instance.services['rdp']}/rdp/servers").json()["servers"]
    (mine,) = [each["id"] for each in servers if each["session"] == session]
    status = instance.api.get(f"{instance.services['rdp']}/rdp/servers/{mine}/status").json()
    return next(pid for pid in status["pids"] if _name(pid) == program)


VICTIMS: dict[str, Callable[[Instance, str], int]] = {
    "recorder": recorder,
    "session service": lambda instance, _: service(instance, "sessions"),
    "xrdp": lambda instance, session: inside(instance, session, "xrdp"),
    "Xorg": lambda instance, session: inside(instance, session, "Xorg"),
    "server manager": lambda instance, _: service(instance, "rdp"),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_what_was_acknowledged_before_a_kill_is_anchored_as_abandoned(
    instance: Instance, victim: str, tmp_path: Path
) -> None:
    with Person(instance, SIZE) as person:
        session = person.session
        person.type("for i in $(seq 500); do echo $i; done\n")
        before = acknowledged(instance, session, at_least=2)
        os.kill(VICTIMS[victim](instance, session), signal.SIGKILL)
        ended = eventually(instance, session, state="abandoned", anchored=True)
    assert ended["chunks_acknowledged"] >= before
    assert ended["verdict"] == "abandoned"
    assert ended["reason"]
    exported(instance, session, tmp_path, "abandoned", before)
    once(instance, session)


def test_a_session_goes_on_while_the_chain_is_killed_and_comes_back(
    instance: Instance, tmp_path: Path
) -> None:
    with Person(instance, SIZE) as person:
        acknowledged(instance, person.session, at_least=1)
        os.kill(service(instance, "chain"), signal.SIGKILL)
        person.type("echo the chain is away\n")
        acknowledged(instance, person.session, at_least=4)
    closed = eventually(instance, person.session, state="closed", anchored=True)
    exported(instance, person.session, tmp_path, "complete", closed["chunks_acknowledged"])
    once(instance, person.session)
    assert instance.lucid("chain", "verify")["valid"] is True


def test_a_session_goes_on_while_the_chain_does_not_answer_and_anchoring_catches_up(
    instance: Instance, tmp_path: Path
) -> None:
    # `make soak` makes it three minutes.
    outage = float(os.environ.get("LUCID_TEST_OUTAGE_S", "30"))
    chain = service(instance, "chain")
    with Person(instance, SIZE) as person:
        acknowledged(instance, person.session, at_least=1)
        os.kill(chain, signal.SIGSTOP)
        try:
            until = time.monotonic() + outage
            while time.monotonic() < until:
                person.type("echo still working\n")
                time.sleep(2)
            waiting = instance.get(f"/sessions/{person.session}")
            assert waiting["state"] == "recording"
            assert waiting["anchored"] is False
        finally:
            os.kill(chain, signal.SIGCONT)
    closed = eventually(instance, person.session, state="closed", anchored=True)
    assert closed["anchoring_delay_ms"] > 1000 * (outage - 15)
    exported(instance, person.session, tmp_path, "complete", closed["chunks_acknowledged"])
    once(instance, person.session)


def test_killing_lucid_up_leaves_nothing_running_and_the_next_one_closes_what_it_left(
    tmp_path: Path,
) -> None:
    with start(tmp_path) as first, Person(first, SIZE) as person:
        before = acknowledged(first, person.session, at_least=2)
        os.kill(first.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while left := [pid for pid in find(str(tmp_path)) if pid != os.getpid()]:
            assert time.monotonic() < deadline, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
            time.sleep(0.1)
    with start(tmp_path) as second:
        eventually(second, person.session, state="abandoned", anchored=True)
        exported(second, person.session, tmp_path, "abandoned", before)
        once(second, person.session)


def acknowledged(instance: Instance, session: str, *, at_least: int) -> int:
    deadline = time.monotonic() + 60
    while True:
        count: int = instance.get(f"/sessions/{session}")["chunks_acknowledged"]
        if count >= at_least:
            return count
        assert time.monotonic() < deadline, f"{count} chunks after a minute"
        time.sleep(0.1)


def eventually(instance: Instance, session: str, **wanted: object) -> dict[str, object]:
    """Like `Instance.until`, for an API that may be away for a while."""
    deadline = time.monotonic() + 90
    now: dict[str, object] = {}
    while time.monotonic() < deadline:
        try:
            now = instance.get(f"/sessions/{session}")
        except httpx.HTTPError:
            now = {}
        if now and all(now[name] == value for name, value in wanted.items()):
            return now
        time.sleep(0.3)
    raise AssertionError(f"{session} did not become {wanted}: {now}")


def exported(instance: Instance, session: str, directory: Path, verdict: str, at_least: object) -> None:
    bundle = directory / f"{session}.lucid"
    instance.lucid("session", "export", session, "-o", str(bundle))
    code, report = judge(bundle, instance.data / "trust.json")
    assert report["chunks"] >= at_least
    if verdict == "complete":
        assert code == 0, report
    else:
        assert code == 2, report
        assert verdict in json.dumps(report["findings"])


def once(instance: Instance, session: str) -> None:
    """The session's records are in the log once each, in order."""
    chain = instance.services["chain"]
    records = httpx.get(f"{chain}/anchoring/session/{session}").raise_for_status().json()["records"]
    sequence = [each["seq"] for each in records]
    assert sequence == list(range(len(sequence)))
    assert Counter(each["index"] for each in records).most_common(1)[0][1] == 1


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
