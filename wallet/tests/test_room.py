"""What holds for the whole room."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import lucid_tron
from lucid_kit import errors, fault

SOURCES = Path(lucid_tron.__file__).parent


def test_every_error_has_a_code_of_its_own_and_says_what_to_do() -> None:
    for module in pkgutil.walk_packages(lucid_tron.__path__, "lucid_tron."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = [kind for kind in errors.catalogue() if kind.__module__.startswith("lucid_tron.")]
    assert len(ours) > 50
    for kind in ours:
        assert kind.code[10] in "12345", kind
        assert kind.title.endswith("."), kind
        assert len(kind.advice) > 10, kind


def test_every_fault_point_of_money_and_keys_has_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    points = fault.names(
        *(
            SOURCES / room
            for room in (
                "payouts",
                "sending",
                "staking",
                "gateway",
                "wallets",
                "client",
                "usdt",
                "keys",
                "kyc",
                "settlement",
            )
        )
    )
    assert points
    assert [name for name in points if f'"{name}"' not in tests] == []


def test_the_wallet_plane_loads_without_the_other_planes_and_without_the_devnets_engine() -> None:
    program = (
        "import sys, lucid_tron.payouts.processor, lucid_tron.payouts.reconcile\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'lucid', 'lucid_blocks', 'eth', 'tronpy', 'eth_account', 'bip_utils'}))\n"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert said.stdout == "[]\n"
