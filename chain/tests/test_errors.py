"""Every error of the room: a code of its own, and advice a person can follow."""

import importlib
import pkgutil

import lucid_blocks
from lucid_kit.errors import LucidError, catalogue


def test_every_error_has_a_code_of_its_own_and_advice() -> None:
    for module in pkgutil.walk_packages(lucid_blocks.__path__, "lucid_blocks."):
        importlib.import_module(module.name)
    ours = [kind for kind in catalogue() if kind.__module__.startswith("lucid_blocks")]
    assert len(ours) > 45
    for kind in ours:
        assert kind.advice != LucidError.advice or kind.__name__ == "ChainFault", kind
        assert int(kind.code.removeprefix("LUCID_ERR_")) % 1000 in range(200, 300), kind
        assert kind.title
