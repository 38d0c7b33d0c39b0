"""What every blob store promises: the same tests over a directory, memory, and an S3 server.

The S3 server is moto: quick, but it accepts a wrong secret, so these tests say nothing about access.
"""

import errno
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import obstore
import pytest
from obstore.store import LocalStore

from lucid_kit import fault
from lucid_kit.blobs import BadBlobUrl, BlobExists, BlobMissing, Blobs, _translated, open_blobs
from lucid_kit.errors import StoreFull, StoreReadOnly, StoreUnavailable


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.real)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    if request.param == "file":
        return open_blobs(f"file://{tmp_path}/store")
    if request.param == "memory":
        return open_blobs("memory://")
    endpoint = request.getfixturevalue("s3_endpoint")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    bucket = f"b{secrets.token_hex(6)}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=bucket)
    return open_blobs(f"s3://{bucket}?endpoint={endpoint}")


async def listed(blobs: Blobs, prefix: str) -> dict[str, int]:
    return {key: size async for key, size in blobs.list(prefix)}


@pytest.mark.parametrize("size", [0, 1, 4096, 6_000_000])
async def test_bytes_are_read_back_as_they_were_stored(blobs: Blobs, size: int) -> None:
    data = os.urandom(size)
    await blobs.put("a/b.bin", data)
    assert await blobs.get("a/b.bin") == data
    assert await blobs.head("a/b.bin") == size


async def test_a_put_replaces_unless_told_not_to(blobs: Blobs) -> None:
    await blobs.put("a", b"one", if_absent=True)
    with pytest.raises(BlobExists, match="a already"):
        await blobs.put("a", b"two", if_absent=True)
    assert await blobs.get("a") == b"one"
    await blobs.put("a", b"three")
    assert await blobs.get("a") == b"three"


async def test_a_range_ends_at_the_end_of_the_blob(blobs: Blobs) -> None:
    await blobs.put("a", b"0123456789")
    assert await blobs.get_range("a", 2, 5) == b"234"
    assert await blobs.get_range("a", 8, 50) == b"89"
    assert await blobs.get_range("a", 5, 5) == await blobs.get_range("a", 10, 20) == b""


async def test_what_is_not_there_is_missing(blobs: Blobs) -> None:
    for call in (blobs.get("x/y"), blobs.get_range("x/y", 0, 1)):
        with pytest.raises(BlobMissing, match="no blob x/y"):
            await call
    assert await blobs.head("x/y") is None
    await blobs.delete("x/y")


async def test_a_deleted_blob_is_gone(blobs: Blobs) -> None:
    await blobs.put("a/b", b"x")
    await blobs.delete("a/b")
    assert await blobs.head("a/b") is None
    assert await listed(blobs, "") == {}


async def test_a_prefix_lists_what_is_below_it(blobs: Blobs) -> None:
    for key in ("s/1/a", "s/1/b", "s/10/a", "t"):
        await blobs.put(key, key.encode())
    assert await listed(blobs, "s/1/") == {"s/1/a": 5, "s/1/b": 5}
    assert len(await listed(blobs, "")) == 4
    assert await listed(blobs, "nothing/") == {}


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a b", "ü", "a\0", "a\n", "a#1", "x" * 513]
)
async def test_a_key_that_could_mean_something_else_is_refused(blobs: Blobs, key: str) -> None:
    for call in (blobs.put(key, b""), blobs.get(key), blobs.head(key), blobs.delete(key)):
        with pytest.raises(ValueError, match="no blob key"):
            await call


async def test_a_store_that_is_there_answers(blobs: Blobs) -> None:
    await blobs.ping()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file://host/x",
        "file:x",
        "s3://",
        "s3://a:b@bucket",
        "s3://bucket?secret=x",
        "ftp://x",
        "/plain/path",
    ],
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(BadBlobUrl):
        open_blobs(url)


async def test_a_store_that_is_not_there_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    gone = open_blobs(f"file://{tmp_path}/store")
    (tmp_path / "store").rmdir()
    for blobs in (gone, open_blobs("s3://bucket?endpoint=http://127.0.0.1:1")):
        with pytest.raises(StoreUnavailable):
            await blobs.ping()


async def test_a_full_directory_says_so_and_keeps_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = open_blobs(f"file://{tmp_path}")
    await blobs.put("a", b"old")
    monkeypatch.setenv("LUCID_FAULT_ERROR", "blob-write")
    with pytest.raises(StoreFull, match="No room for blob a"):
        await blobs.put("a", b"new")
    assert await blobs.get("a") == b"old"
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208 - obstore's listing would hide what was left


@pytest.mark.parametrize(("name", "content"), [("blob-written", b"old"), ("blob-named", b"new")])
async def test_a_process_killed_while_storing_leaves_the_old_blob_or_the_new(
    tmp_path: Path, name: str, content: bytes
) -> None:
    blobs = open_blobs(f"file://{tmp_path}")
    await blobs.put("d/a", b"old")
    code = (
        "import asyncio; from lucid_kit.blobs import open_blobs; "
        f"asyncio.run(open_blobs('file://{tmp_path}').put('d/a', b'new'))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "LUCID_FAULT": name}, check=False)  # noqa: ASYNC221
    assert done.returncode == -signal.SIGKILL
    assert await blobs.get("d/a") == content
    assert await listed(blobs, "") == {"d/a": 3}


def traced(code: str, log: Path) -> str:
    subprocess.run(
        ["strace", "-f", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat", "-o", log,
         sys.executable, "-c", code],
        check=True, capture_output=True,
    )  # fmt: skip
    return log.read_text()


@pytest.mark.real
def test_the_kernel_is_told_to_make_a_blob_durable_before_and_after_its_name(tmp_path: Path) -> None:
    code = (
        "import asyncio; from lucid_kit.blobs import open_blobs; "
        f"asyncio.run(open_blobs('file://{tmp_path}/s').put('a', b'x'))"
    )
    try:
        calls = traced(code, tmp_path / "log")
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"strace cannot be used here: {error}")
    lines = [line for line in calls.splitlines() if "sync(" in line or "rename" in line]
    named = next(number for number, line in enumerate(lines) if f'"{tmp_path}/s/a"' in line)
    assert "fsync" in lines[named - 1]
    assert "fsync" in lines[named + 1]


def test_obstore_alone_does_not_promise_that(tmp_path: Path) -> None:
    # Why the kit writes local blobs itself. When this fails, obstore can do it: use it again.
    assert "fsync" not in str(LocalStore.__init__.__doc__)
    with pytest.raises(TypeError):
        LocalStore(tmp_path, fsync=True)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.EDQUOT, "quota"), StoreFull),
        (OSError(errno.EROFS, "read-only"), StoreReadOnly),
        (OSError(errno.EACCES, "no"), StoreReadOnly),
        (OSError(errno.EIO, "i/o"), StoreUnavailable),
        (obstore.exceptions.PermissionDeniedError("403"), StoreReadOnly),
        (obstore.exceptions.GenericError("No space left on device"), StoreFull),
        (obstore.exceptions.GenericError("timeout"), StoreUnavailable),
        (obstore.exceptions.PreconditionError("412"), BlobExists),
    ],
)
def test_each_fault_of_a_store_has_its_name(error: Exception, kind: type[Exception]) -> None:
    assert type(_translated(error, "a")) is kind


def test_the_faults_above_are_all_there_are() -> None:
    source = Path(sys.modules["lucid_kit.blobs"].__file__ or "").parent
    found: dict[str, str] = fault.names(source)
    assert {name for name, place in found.items() if place.startswith("blobs.py")} == {
        "blob-write",
        "blob-written",
        "blob-named",
    }
