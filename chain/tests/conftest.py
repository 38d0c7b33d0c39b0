import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from .builders import DiskChain, MemoryChain


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command configures the process's logs; the next test's stderr is another file."""
    before, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = before
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def chain() -> MemoryChain:
    return MemoryChain()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[DiskChain]:
    made = DiskChain.make(tmp_path / "chain")
    yield made
    made.close()
