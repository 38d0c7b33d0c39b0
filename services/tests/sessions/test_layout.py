"""A bundle's bytes, planned before they are sent: the same as the proof room writes, from any place to any
other.
"""

import io
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.sessions.bundle_layout import lay_out
from lucid.sessions.ranges import NotModified, Range, RangeOutside, wanted
from lucid_proof.layout import MANIFEST, RECORDS
from lucid_proof.testing import a_session

ETAG = "5f1c"


async def collect(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([data async for data in stream])


async def test_a_planned_bundle_is_the_file_that_the_proof_room_writes(tmp_path: Path) -> None:
    session = a_session().with_chunks(3).closed()
    path = tmp_path / "bundle.lucid"
    session.write(path)
    written = path.read_bytes()
    members = {}
    import zipfile

    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chunks = [members[f"chunks/{index:08d}.bin"] for index in range(3)]
    files = [(name, data) for name, data in members.items() if not name.startswith("chunks/")]
    layout = lay_out([(len(chunk), zlib.crc32(chunk)) for chunk in chunks], files)

    async def read(index: int) -> bytes:
        return chunks[index]

    assert layout.size == len(written)
    assert await collect(layout.stream(0, layout.size, read)) == written


@given(data=st.data())
async def test_any_part_of_a_plan_is_that_part_of_the_whole(data: st.DataObject) -> None:
    chunks = data.draw(st.lists(st.binary(min_size=1, max_size=60), max_size=5))
    files = [(RECORDS, b"r\n"), (MANIFEST, data.draw(st.binary(max_size=40)))]
    layout = lay_out([(len(chunk), zlib.crc32(chunk)) for chunk in chunks], files)

    async def read(index: int) -> bytes:
        return chunks[index]

    whole = await collect(layout.stream(0, layout.size, read))
    start = data.draw(st.integers(0, layout.size - 1))
    stop = data.draw(st.integers(start + 1, layout.size))
    assert await collect(layout.stream(start, stop, read)) == whole[start:stop]


def test_a_plan_with_more_chunks_begins_with_the_same_bytes() -> None:
    files = [(MANIFEST, b"{}")]
    two = lay_out([(10, 1), (20, 2)], files)
    three = lay_out([(10, 1), (20, 2), (30, 3)], files)
    assert list(two.pieces[:4]) == list(three.pieces[:4])


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=90-", 90, 100),
        ("bytes=-7", 93, 100),
        ("bytes=50-900", 50, 100),
        ("bytes=-900", 0, 100),
    ],
)
def test_one_range_gives_those_bytes(header: str, start: int, stop: int) -> None:
    assert wanted(100, ETAG, header, None, None) == Range(start, stop, partial=True)


@pytest.mark.parametrize("header", [None, "bytes=0-1,5-6", "pages=1-2", "bytes=9-3", "bytes=a-b", "bytes=-"])
def test_what_is_no_single_range_gives_the_whole(header: str | None) -> None:
    assert wanted(100, ETAG, header, None, None) == Range(0, 100, partial=False)


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_a_range_behind_the_end_says_how_much_there_is(header: str) -> None:
    with pytest.raises(RangeOutside) as refused:
        wanted(100, ETAG, header, None, None)
    assert refused.value.facts["size"] == 100


def test_a_download_goes_on_only_if_the_bundle_is_still_the_same() -> None:
    assert wanted(100, ETAG, "bytes=50-", f'"{ETAG}"', None) == Range(50, 100, partial=True)
    assert wanted(100, ETAG, "bytes=50-", '"other"', None) == Range(0, 100, partial=False)


@pytest.mark.parametrize("header", [f'"{ETAG}"', f'W/"{ETAG}"', f'"other", "{ETAG}"', "*"])
def test_who_has_the_bundle_gets_none(header: str) -> None:
    assert isinstance(wanted(100, ETAG, None, None, header), NotModified)


@given(st.integers(1, 1 << 40), st.text(max_size=40))
def test_no_range_header_breaks_anything(size: int, header: str) -> None:
    try:
        part = wanted(size, ETAG, header, None, None)
    except RangeOutside:
        return
    assert isinstance(part, Range)
    assert 0 <= part.start < part.stop <= size
