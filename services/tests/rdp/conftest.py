from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manager import Manager

from demo.desktop import XvfbClient


@pytest.fixture(scope="session")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with Manager(tmp_path_factory.mktemp("rdp") / "data", handshake_timeout=2, refusal_delay=0.1) as running:
        yield running


@pytest.fixture
def client() -> Iterator[XvfbClient]:
    with XvfbClient() as screen:
        yield screen


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"
