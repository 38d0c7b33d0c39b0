import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lucid_kit import fault, files
from lucid_kit.files import AlreadyRunning, DirectoryLock, append_durable, write_atomic

KIT = Path(files.__file__).parent


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_is_replaced_whole_with_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = os.umask(0o077)
    try:
        write_atomic(path, b"one")
        write_atomic(path, b"two", mode=0o644)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    write_atomic(path, b"old")
    monkeypatch.setenv("LUCID_FAULT_ERROR", "file-write")
    with pytest.raises(OSError, match="No space") as caught:
        write_atomic(path, b"new")
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "content"), [("file-written", b"old"), ("file-renamed", b"new")])
def test_a_process_killed_while_writing_leaves_old_or_new(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "state"
    write_atomic(path, b"old")
    code = (
        f"from pathlib import Path; from lucid_kit.files import *; write_atomic(Path({str(path)!r}), b'new')"
    )
    assert run(code, LUCID_FAULT=name).returncode == -signal.SIGKILL
    assert path.read_bytes() == content
    assert files.sweep_temporaries(tmp_path) == (1 if name == "file-written" else 0)
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_and_then_its_name_are_forced_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def watch_fsync(fd: int) -> None:
        order.append("fsync " + ("directory" if Path(f"/proc/self/fd/{fd}").is_dir() else "file"))
        fsync(fd)

    def watch_rename(self: Path, target: Path) -> Path:
        order.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "rename", watch_rename)
    write_atomic(tmp_path / "x", b"data")
    assert order == ["fsync file", "rename", "fsync directory"]


def test_appending_adds_and_a_refused_append_takes_back_what_was_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        append_durable(fd, b"one\n")

        def full(fd: int) -> None:
            raise OSError(errno.ENOSPC, "full")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", full)
            with pytest.raises(OSError, match="full"):
                append_durable(fd, b"two\n")
        append_durable(fd, b"three\n")
    finally:
        os.close(fd)
    assert path.read_bytes() == b"one\nthree\n"


def test_a_process_killed_after_appending_leaves_what_it_wrote_before(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    code = f"""
import os
from lucid_kit.files import append_durable
fd = os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for line in (b"one\\n", b"two\\n", b"three\\n"):
    append_durable(fd, line)
"""
    assert run(code, LUCID_FAULT="file-appended:2").returncode == -signal.SIGKILL
    assert path.read_bytes().startswith(b"one\n")
    assert b"three" not in path.read_bytes()


def test_missing_directories_are_made(tmp_path: Path) -> None:
    files.make_dirs(tmp_path / "a" / "b")
    files.make_dirs(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_the_second_process_on_a_directory_is_told_who_the_first_is(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from lucid_kit.files import DirectoryLock, AlreadyRunning
try:
    DirectoryLock(Path({str(tmp_path)!r}), "lucid up").acquire()
except AlreadyRunning as error:
    print(error.facts["pid"], error.detail)
"""
    with DirectoryLock(tmp_path, "lucid up"):
        told = run(code)
    assert told.stdout.startswith(f"{os.getpid()} lucid up already runs in {tmp_path}"), told.stderr
    assert run(code).stdout == ""


def test_a_lock_ends_with_its_holder_even_when_killed(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from lucid_kit.files import DirectoryLock
DirectoryLock(Path({str(tmp_path)!r}), "x").acquire()
os.kill(os.getpid(), 9)
"""
    assert run(code).returncode == -signal.SIGKILL
    lock = DirectoryLock(tmp_path, "x")
    lock.acquire()
    with pytest.raises(AlreadyRunning):
        DirectoryLock(tmp_path, "x").acquire()
    lock.release()
    lock.release()


def test_the_nth_passage_of_a_fault_point_ends_the_process() -> None:
    code = (
        "from lucid_kit import fault\nfor i in range(5):\n print(i, flush=True)\n"
        " fault.point('here')\n fault.point('there')"
    )
    done = run(code, LUCID_FAULT="here:3")
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["0", "1", "2"])
    assert run(code).returncode == 0


def test_every_fault_in_the_kit_is_found_and_has_a_test() -> None:
    found = fault.names(KIT)
    tested = "\n".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert {"file-write", "file-written", "file-renamed", "file-append", "file-appended"} <= set(found)
    assert [name for name in found if f'"{name}' not in tested] == []
