"""Fixtures for what crosses rooms: a real instance, a real RDP client, a recorded session."""

from collections.abc import Iterator

import pytest

from demo.instance import Instance
from demo.work import Person
from instances import SIZE, TITLE, Recorded, start


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One instance for all tests that leave it as it was."""
    with start(tmp_path_factory.mktemp("instance")) as running:
        yield running


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
