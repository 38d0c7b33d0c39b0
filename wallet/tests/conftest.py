"""Makes `builders` importable from the tests of this room, and lets slow machines be slow.

What is marked `soak` runs only when it is asked for: `pytest -m soak wallet/tests`.
"""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
# A deadline is a timed assertion: it fails when the machine is busy, not when the code is wrong.
settings.register_profile("lucid", deadline=None)
settings.load_profile("lucid")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the soaks out unless the mark expression names them."""
    if "soak" not in str(config.option.markexpr):
        left_out = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
