"""Makes `builders` importable from the tests of this room, and lets slow machines be slow."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
# A deadline is a timed assertion: it fails when the machine is busy, not when the code is wrong.
settings.register_profile("lucid", deadline=None)
settings.load_profile("lucid")
