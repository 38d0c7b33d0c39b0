"""Fixtures of the session service's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .plant import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """An instance of its own; nothing runs until it is started."""
    plant = Plant(tmp_path)
    yield plant
    plant.close()
