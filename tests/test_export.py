"""What `lucid session export` fetches, and what it makes of what is there already."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from demo.instance import LUCID, Instance, judge
from demo.work import Person
from instances import SIZE, Recorded
from lucid_proof.reader import BundleReader

FLIPPED = 1000
"""A place inside the first chunk of a bundle."""


@dataclass(frozen=True)
class Grown:
    """A session as it was exported while it ran, and its id; it has ended since."""

    id: str
    early: bytes
    chunks: int
    """Bytes that its chunks take in the early bundle."""


@pytest.fixture(scope="module")
def grown(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Grown:
    early = tmp_path_factory.mktemp("early") / "session.lucid"
    with Person(instance, SIZE) as person:
        deadline = time.monotonic() + 90
        while True:
            person.glance()
            instance.lucid("session", "export", person.session, "-o", str(early))
            if chunks_end(early):
                break
            assert time.monotonic() < deadline, "no chunk was anchored while the session ran"
        person.glance()
    instance.until(person.session, within=60, state="closed", anchored=True, archived=True)
    return Grown(person.session, early.read_bytes(), chunks_end(early))


@pytest.fixture
def target(grown: Grown, tmp_path: Path) -> Path:
    """A file that holds the early export."""
    path = tmp_path / "session.lucid"
    path.write_bytes(grown.early)
    return path


def test_a_session_that_went_on_is_fetched_from_where_its_last_export_ended(
    instance: Instance, grown: Grown, target: Path
) -> None:
    said = instance.lucid("session", "export", grown.id, "-o", str(target))
    assert said["verdict"] == "complete"
    assert said["fetched"] == said["bytes"] - grown.chunks
    assert target.read_bytes()[: grown.chunks] == grown.early[: grown.chunks]


def test_an_earlier_export_that_was_altered_is_not_built_upon(
    instance: Instance, grown: Grown, target: Path
) -> None:
    altered = bytearray(grown.early)
    altered[FLIPPED] ^= 1
    target.write_bytes(altered)
    said = instance.lucid("session", "export", grown.id, "-o", str(target))
    assert said["verdict"] == "complete"
    assert said["fetched"] == said["bytes"]


def test_an_export_of_another_session_is_not_built_upon(
    instance: Instance, recorded: Recorded, grown: Grown, target: Path
) -> None:
    said = instance.lucid("session", "export", recorded.id, "-o", str(target))
    assert (said["verdict"], said["session"]) == ("complete", recorded.id)
    assert judge(target, recorded.trust)[1]["session"] == recorded.id


def test_a_broken_transfer_goes_on_where_it_stopped(instance: Instance, grown: Grown, tmp_path: Path) -> None:
    target = tmp_path / "resumed.lucid"
    with instance.api.stream("GET", f"/sessions/{grown.id}/proof") as answer:
        content, tag = answer.read(), answer.headers["ETag"]
    half = len(content) // 2
    target.with_name("resumed.lucid.part").write_bytes(content[:half])
    target.with_name("resumed.lucid.etag").write_text(tag)
    said = instance.lucid("session", "export", grown.id, "-o", str(target))
    assert (said["verdict"], said["fetched"]) == ("complete", len(content) - half)
    assert [path.name for path in tmp_path.iterdir()] == ["resumed.lucid"]
    assert target.read_bytes() == content


def test_a_damaged_recording_is_named_and_leaves_what_was_exported_as_it_was(
    instance: Instance, grown: Grown, target: Path
) -> None:
    newest = max((instance.data / "blobs" / "sessions" / grown.id).rglob("*.bin"))
    content = newest.read_bytes()
    video = target.with_name("session.webm")
    newest.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        assert failed(instance, "export", grown.id, "-o", str(target)) == "LUCID_ERR_5305"
        assert failed(instance, "video", grown.id, "-o", str(video)).startswith("LUCID_ERR_5")
    finally:
        newest.write_bytes(content)
    assert target.read_bytes() == grown.early
    assert not video.exists()


def test_a_recording_can_be_watched_as_a_video(instance: Instance, grown: Grown, tmp_path: Path) -> None:
    video = tmp_path / "session.webm"
    assert instance.lucid("session", "video", grown.id, "-o", str(video))["bytes"] == video.stat().st_size
    with av.open(video) as container:
        frames = list(container.decode(video=0))
    assert (frames[0].width, frames[0].height) == SIZE
    assert len(frames) >= 3
    assert [path.name for path in tmp_path.iterdir()] == ["session.webm"]


def failed(instance: Instance, *arguments: str) -> str:
    """The code with which a `lucid session` command ended."""
    argv = [LUCID, "--data", str(instance.data), "session", *arguments, "--json"]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert done.returncode == 1, done.stdout
    return str(json.loads(done.stdout)["code"])


def chunks_end(bundle: Path) -> int:
    """Where the last chunk of a bundle ends."""
    with BundleReader(bundle) as reader:
        return max((member.end for _, member in reader.chunks()), default=0)
