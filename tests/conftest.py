"""Fixtures for what crosses rooms: a real instance, a real RDP client, a recorded session."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.instance import Instance
from demo.work import Person

SIZE = (1024, 640)
QUICK = {"LUCID_SESSIONS_LINGER_S": "1", "LUCID_SESSIONS_INTERIM_S": "5", "LUCID_SESSIONS_CHUNK_MS": "2000"}
"""Settings under which a short test sees several chunks and interim records."""


def start(directory: Path, **more: str) -> Instance:
    """An instance on `directory/data` that logs beside it; use it as a context."""
    return Instance(directory / "data", directory / "up.log", {**os.environ, **QUICK, **more})


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One instance for all tests that leave it as it was."""
    with start(tmp_path_factory.mktemp("instance")) as running:
        yield running


@pytest.fixture(scope="session")
def connect() -> Callable[[Instance], Person]:
    return lambda instance: Person(instance, SIZE)


@dataclass(frozen=True)
class Recorded:
    """A session that was worked in, closed, anchored and exported."""

    id: str
    bundle: Path
    trust: Path
    title: str
    pixels: bytes
    receipt: Path


TITLE = "a-title-nobody-may-read-7f3a9"


@pytest.fixture(scope="session")
def recorded(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    directory = tmp_path_factory.mktemp("recorded")
    receipt = directory / "receipt.json"
    with Person(instance, SIZE, receipt=receipt) as person:
        person.type(f"xterm -T {TITLE} -geometry 40x5+20+20 -e sh -c 'echo {TITLE}; sleep 60' &\n")
        person.glance()
        shot = person.settle()
    closed = instance.until(person.session, within=60, state="closed", anchored=True, archived=True)
    assert closed["chunks_acknowledged"] >= 2
    bundle, trust = directory / "session.lucid", directory / "trust.json"
    instance.lucid("session", "export", person.session, "-o", str(bundle), "--trust", str(trust))
    row = shot.tobytes("raw", "BGRX")
    return Recorded(person.session, bundle, trust, TITLE, _busiest(row, SIZE[0] * 4), receipt)


def _busiest(pixels: bytes, stride: int, width: int = 256) -> bytes:
    """The stretch of one row with the most changes: bytes that nothing but this picture has."""
    pieces = (pixels[at : at + width] for at in range(0, len(pixels) - width, stride // 4))
    return max(pieces, key=lambda piece: sum(a != b for a, b in zip(piece, piece[4:], strict=False)))
