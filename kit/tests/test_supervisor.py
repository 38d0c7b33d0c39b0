"""The supervisor, with real processes."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from lucid_kit.supervisor import Process, ProcessNotReady, ProcessState, Supervisor

READY = "import json, os, sys, time, signal; print(json.dumps({'pid': os.getpid()}), flush=True)\n"


def process(name: str, code: str = "signal.pause()", **options: Any) -> Process:
    return Process(name, [sys.executable, "-c", READY + code], **options)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - other processes give no event
            await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(first_wait_s=0.01, longest_wait_s=0.05)
    yield supervisor
    await supervisor.stop_all()


async def test_a_process_is_ready_when_it_says_so(supervisor: Supervisor) -> None:
    ready = await supervisor.start(process("a"))
    (status,) = supervisor.status()
    assert (status.name, status.state, status.pid, status.restarts) == (
        "a",
        ProcessState.READY,
        ready["pid"],
        0,
    )
    assert status.since_ms > 0
    with pytest.raises(ValueError, match="already"):
        await supervisor.start(process("a"))


async def test_a_process_that_only_runs_is_ready_at_once(supervisor: Supervisor) -> None:
    assert await supervisor.start(Process("a", ["sleep", "60"], ready=None)) == {}
    assert supervisor.status()[0].state is ProcessState.READY


async def test_a_process_is_ready_when_its_address_answers(supervisor: Supervisor) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    await supervisor.start(Process("a", argv, ready="http", ready_url=f"http://127.0.0.1:{port}/"))
    with pytest.raises(ProcessNotReady, match="it ended"):
        await supervisor.start(Process("b", ["false"], ready="http", ready_url="http://127.0.0.1:1/"))


async def test_a_process_that_dies_is_started_again_and_its_death_is_told() -> None:
    deaths: list[tuple[str, int]] = []
    supervisor = Supervisor(on_death=lambda name, status: deaths.append((name, status)), first_wait_s=0.01)
    first = (await supervisor.start(process("a")))["pid"]
    for number in range(1, 4):
        pid = supervisor.status()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(
            lambda number=number: (
                supervisor.status()[0].restarts == number
                and supervisor.status()[0].state is ProcessState.READY
            )
        )  # type: ignore[misc]
    assert deaths == [("a", -signal.SIGKILL)] * 3
    assert supervisor.status()[0].pid != first
    await supervisor.stop_all()


async def test_a_process_that_must_not_come_back_does_not(supervisor: Supervisor) -> None:
    await supervisor.start(process("a", "sys.exit(3)", restart="never"))
    await until(lambda: supervisor.status()[0].state is ProcessState.ENDED)
    assert supervisor.status()[0].pid is None


async def test_a_process_that_fails_at_every_restart_is_tried_at_growing_intervals(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    mark = tmp_path / "broken"
    await supervisor.start(
        process("a", f"signal.pause() if not os.path.exists({str(mark)!r}) else 1", ready="line")
    )
    broken = f"import os, sys\nif os.path.exists({str(mark)!r}): sys.exit(1)\n"
    await supervisor.stop("a")
    await supervisor.start(Process("b", [sys.executable, "-c", broken + READY + "signal.pause()"]))
    mark.touch()
    pid = supervisor.status()[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: supervisor.status()[0].restarts >= 3)
    mark.unlink()
    await until(lambda: supervisor.status()[0].state is ProcessState.READY)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["/no/such/program"], "cannot be started"),
        ([sys.executable, "-c", "print('hello')"], "instead of its ready line"),
        ([sys.executable, "-c", "print('[1]')"], "instead of its ready line"),
        ([sys.executable, "-c", "import sys; sys.exit('no spool')"], "it ended.*no spool"),
        (["sleep", "60"], "said nothing for 0.2 s"),
    ],
)
async def test_a_process_that_does_not_become_ready_is_ended_and_says_why(
    supervisor: Supervisor, tmp_path: Path, argv: list[str], why: str
) -> None:
    seconds = 0.2 if argv[0] == "sleep" else 20
    with pytest.raises(ProcessNotReady, match=f"(?s){why}"):
        await supervisor.start(Process("a", argv, log=tmp_path / "log", ready_seconds=seconds))
    assert supervisor.status() == []
    await supervisor.start(process("a"))


async def test_processes_end_in_the_reverse_of_their_order(tmp_path: Path) -> None:
    log = tmp_path / "order"
    code = """
import os, signal, sys
def end(*_):
    os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT), sys.argv[2].encode())
    sys.exit(0)
signal.signal(signal.SIGINT, end)
print("{}", flush=True)
signal.pause()
"""
    supervisor = Supervisor()
    for name in "abc":
        argv = [sys.executable, "-c", code, str(log), name]
        await supervisor.start(Process(name, argv, stop_signal=signal.SIGINT))
    await supervisor.stop_all()
    assert log.read_text() == "cba"
    assert supervisor.status() == []


async def test_what_resists_is_killed_with_all_it_started() -> None:
    code = (
        "import subprocess, signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "import json; print(json.dumps({'child': child.pid}), flush=True)\nsignal.pause()"
    )
    supervisor = Supervisor()
    ready = await supervisor.start(Process("a", [sys.executable, "-c", code], stop_timeout=0.1))
    pid = supervisor.status()[0].pid
    assert pid is not None
    await supervisor.stop_all()
    await until(lambda: gone(pid) and gone(ready["child"]))


async def test_a_child_that_prints_without_end_is_not_blocked(supervisor: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "done"
    await supervisor.start(
        process("a", f"print('x' * 3_000_000, flush=True); open({str(mark)!r}, 'w'); signal.pause()")
    )
    await until(mark.exists)


async def test_a_cancelled_start_leaves_no_process(supervisor: Supervisor) -> None:
    task = asyncio.create_task(supervisor.start(Process("a", ["sleep", "600"])))
    await until(lambda: supervisor.status() and supervisor.status()[0].pid)
    pid = supervisor.status()[0].pid
    assert pid is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(pid)


async def test_children_die_with_a_supervisor_that_was_killed() -> None:
    code = """
import asyncio
from lucid_kit.supervisor import Process, Supervisor
async def main():
    supervisor = Supervisor()
    for name in "ab":
        await supervisor.start(Process(name, ["sleep", "600"], ready=None))
    print(*(status.pid for status in supervisor.status()), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pids = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert len(pids) == 2
    with contextlib.suppress(ProcessLookupError):
        parent.kill()
    await parent.wait()
    await until(lambda: all(gone(pid) for pid in pids))
