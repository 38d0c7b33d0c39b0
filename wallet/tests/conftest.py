"""Makes `builders` importable from the tests of this room.

What is marked `soak` runs only when it is asked for: `pytest -m soak wallet/tests`.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the soaks out unless the mark expression names them."""
    if "soak" not in str(config.option.markexpr):
        left_out = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
