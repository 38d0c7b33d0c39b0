from collections.abc import Iterator
from pathlib import Path

import pytest

from .builders import DiskChain, MemoryChain


@pytest.fixture
def chain() -> MemoryChain:
    return MemoryChain()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[DiskChain]:
    made = DiskChain.make(tmp_path / "chain")
    yield made
    made.close()
