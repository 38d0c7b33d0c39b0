"""What the tests of this room share: where the frozen vectors are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[2] / "docs" / "specs" / "vectors"


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Read a file of docs/specs/vectors."""
    return lambda name: json.loads((VECTORS / name).read_text())
