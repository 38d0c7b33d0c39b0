"""The container: any ZIP tool reads it; a reader of ours takes one form of it and refuses every other."""

import os
import shutil
import socket
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid_proof import Verdict, layout, verify, zipform
from lucid_proof.testing import a_session, read_members, write_members


@pytest.fixture
def session():
    return a_session().with_chunks(3, size=500).closed()


@pytest.fixture
def bundle(session, tmp_path):
    return session.write(tmp_path / "a.lucid")


def refusal(path, trust=None) -> str:
    report = verify(path, trust)
    assert report.verdict is Verdict.UNUSABLE, report
    assert len(report.findings) == 1
    return f"{report.findings[0].where}: {report.findings[0].message}"


def test_pythons_zipfile_and_info_zip_read_a_bundle(bundle):
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(read_members(bundle))
        assert archive.read("checkpoint") == read_members(bundle)["checkpoint"]
        info = archive.getinfo("manifest.json")
        assert (info.date_time, info.external_attr >> 16, info.compress_type) == (
            (1980, 1, 1, 0, 0, 0),
            0o100644,
            0,
        )
    unzip = shutil.which("unzip")
    assert unzip, "unzip is among the system packages of development"
    subprocess.run([unzip, "-tqq", bundle], check=True)


def test_the_same_members_are_the_same_bytes(bundle, tmp_path):
    again = write_members(tmp_path / "b", read_members(bundle))
    assert again.read_bytes() == bundle.read_bytes()


def test_another_tools_zip_of_the_same_members_is_unusable(bundle, tmp_path):
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w", zipfile.ZIP_STORED) as archive:
        for name, content in read_members(bundle).items():
            archive.writestr(name, content)
    assert "not a bundle" in refusal(other) or "canonical" in refusal(other)


def test_compressed_members_are_unusable(bundle, tmp_path):
    other = tmp_path / "bomb.zip"
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chunks/00000000.bin", bytes(50_000_000))
    assert refusal(other)


@pytest.mark.parametrize(
    "change",
    [
        lambda names: [*names[:3], "records.jsonl", *names[3:]],
        lambda names: [names[0], *names],
        lambda names: [names[1], names[0], *names[2:]],
        lambda names: [name for name in names if name != "blocks.jsonl"],
        lambda names: [name for name in names if name != "checkpoint"],
        lambda names: [name for name in names if name != "manifest.json"],
        lambda names: [name for name in names if name != "records.jsonl"],
        lambda names: [name for name in names if name != "evidence/1.tlog-proof"],
        lambda names: [name for name in names if name != "evidence/0.leaf"],
        lambda names: [*names, "manifest.json"],
        lambda names: [*names, "more"],
        lambda names: ["../../etc/passwd", *names],
        lambda names: ["chunks/", *names],
        lambda names: ["chunks/0.bin", *names],
        lambda names: ["chunks/99999999.bin", *names],
        lambda names: names[::-1],
        lambda _: [],
        lambda _: ["checkpoint"],
    ],
)
def test_members_missing_doubled_added_or_in_another_order_are_unusable(bundle, tmp_path, change):
    members = read_members(bundle)
    wanted = change(list(members))
    path = tmp_path / "b"
    written, directory = bytearray(), bytearray()
    for name in wanted:
        content = members.get(name, b"x")
        member = zipform.Member(name, len(content), zlib.crc32(content), len(written))
        written += zipform.local_header(member) + content
        directory += zipform.central_header(member)
    path.write_bytes(
        bytes(written + directory) + zipform.Tail(len(wanted), len(directory), len(written)).bytes()
    )
    assert refusal(path)


@pytest.mark.parametrize("name", ["a" * 65, "caf\u00e9", ""])
def test_names_that_no_bundle_has_are_unusable(bundle, tmp_path, name):
    content = b"x"
    members = {name: content} | read_members(bundle)
    written, directory = bytearray(), bytearray()
    for each, data in members.items():
        member = zipform.Member(each, len(data), zlib.crc32(data), len(written))
        written += zipform.local_header(member) + data
        directory += zipform.central_header(member)
    path = tmp_path / "b"
    path.write_bytes(
        bytes(written + directory) + zipform.Tail(len(members), len(directory), len(written)).bytes()
    )
    assert "name" in refusal(path)


@pytest.mark.parametrize("size", [2**63, 2**64 - 1, 2**40, 17 * 1024 * 1024, 600])
def test_a_member_that_claims_an_absurd_size_is_unusable(bundle, size):
    data = bytearray(bundle.read_bytes())
    # The two sizes of the first local header's ZIP64 field.
    at = 30 + len("chunks/00000000.bin") + 4
    struct.pack_into("<QQ", data, at, size, size)
    bundle.write_bytes(data)
    assert refusal(bundle)


def test_members_that_overlap_are_unusable(bundle):
    """Every entry of the directory pointing at one and the same content (a better zip bomb)."""
    data = bytearray(bundle.read_bytes())
    tail = zipform.read_tail(bytes(data[-zipform.TAIL_SIZE :]), len(data))
    at = tail.directory_at
    for _ in range(3):  # the offsets of the three chunks
        name_size = struct.unpack_from("<H", data, at + 28)[0]
        struct.pack_into("<Q", data, at + 46 + name_size + 4 + 16, 0)
        at += 46 + name_size + 28
    bundle.write_bytes(data)
    assert "central directory" in refusal(bundle)


@pytest.mark.parametrize(
    "tail",
    [
        zipform.Tail(2**64 - 1, 0, 0),
        zipform.Tail(2**32, 100, 0),
        zipform.Tail(1, 2**64 - 1, 0),
        zipform.Tail(1, 0, 2**64 - 1),
        zipform.Tail(0, 0, 0),
    ],
)
def test_an_absurd_end_record_is_unusable_at_once(tmp_path, tail):
    path = tmp_path / "a"
    path.write_bytes(bytes(100) + tail.bytes())
    assert refusal(path)
    path.write_bytes(tail.bytes())
    assert refusal(path)


def test_a_hundred_million_members_in_an_empty_file_are_unusable_at_once(tmp_path):
    path = tmp_path / "a"
    size = 2**33
    with path.open("wb") as file:
        file.truncate(size - zipform.TAIL_SIZE)
        file.seek(size - zipform.TAIL_SIZE)
        file.write(zipform.Tail(10**8, 0, size - zipform.TAIL_SIZE).bytes())
    assert "at most" in refusal(path)


@pytest.mark.parametrize(
    "name",
    [
        "chunks/00000000.bin",
        "records.jsonl",
        "evidence/1.leaf",
        "blocks.jsonl",
        "checkpoint",
        "manifest.json",
    ],
)
def test_a_wrong_crc_on_right_content_is_unusable_and_named(bundle, session, name):
    written, directory = bytearray(), bytearray()
    members = read_members(bundle)
    for each, content in members.items():
        crc = zlib.crc32(content) ^ (each == name)
        member = zipform.Member(each, len(content), crc, len(written))
        written += zipform.local_header(member) + content
        directory += zipform.central_header(member)
    tail = zipform.Tail(len(members), len(directory), len(written))
    bundle.write_bytes(bytes(written + directory) + tail.bytes())
    assert refusal(bundle, session.policy).startswith(f"{name}: its CRC-32")


def test_bytes_between_the_members_and_the_directory_are_unusable(bundle):
    data = bundle.read_bytes()
    tail = zipform.read_tail(data[-zipform.TAIL_SIZE :], len(data))
    moved = zipform.Tail(tail.members, tail.directory_size, tail.directory_at + 5)
    members, directory = data[: tail.directory_at], data[tail.directory_at : -zipform.TAIL_SIZE]
    bundle.write_bytes(members + b"extra" + directory + moved.bytes())
    assert "do not end where the central directory begins" in refusal(bundle)


def test_no_file_is_left_open(bundle, session, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"PK" + bundle.read_bytes()[2:-1])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (bundle, damaged, tmp_path, tmp_path / "missing") * 5:
        verify(path, session.policy)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", ["blocks.jsonl", "records.jsonl", "evidence/1.leaf", "manifest.json"])
def test_a_member_that_is_gone_when_it_is_read_is_unusable(bundle, session, monkeypatch, name):
    data = bundle.read_bytes()
    start = data.index(read_members(bundle)[name])
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: b"" if at == start else real(fd, size, at))
    assert "shorter" in refusal(bundle, session.policy)


@pytest.mark.parametrize("name", ["", "missing.lucid", "nul\0byte"])
def test_a_path_that_leads_nowhere_is_unusable(tmp_path, name):
    assert refusal(f"{tmp_path}/{name}" if name else str(tmp_path))


def test_what_is_no_file_is_unusable_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "fifo", tmp_path / "socket", "/dev/zero", "/dev/null", tmp_path):
            assert refusal(path)


def test_a_file_that_cannot_be_read_is_unusable(tmp_path, bundle, monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    assert "Input/output error" in refusal(bundle)


def test_a_file_that_shrinks_while_it_is_read_is_unusable(bundle, monkeypatch):
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: real(fd, size, at) if size < 400 else b"")
    assert "shorter" in refusal(bundle)


def test_a_file_read_in_small_pieces_is_read_whole(bundle, session, monkeypatch):
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: real(fd, min(size, 97), at))
    assert verify(bundle, session.policy).verdict is Verdict.COMPLETE


@settings(max_examples=200)
@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_are_unusable(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(data)
    assert refusal(path)


def test_the_largest_bounds_are_those_of_the_specification():
    assert layout.largest("chunks/00000000.bin") == 16 * 1024 * 1024
    assert layout.largest("evidence/12.leaf") == 8192
    assert layout.largest("evidence/012.leaf") == 0
    assert layout.largest("elsewhere") == 0
