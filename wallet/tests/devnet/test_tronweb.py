"""Unmodified tronweb drives the devnet; drive.mjs does the driving, here is what must have come of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lucid_tron.contracts import artefact

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def seen(devnet: dict[str, Any], tronweb_directory: Path) -> dict[str, Any]:
    token = artefact("DevnetUSDT")
    facts = devnet | {"abi": token.abi, "bytecode": token.bytecode.hex()}
    shutil.copy(Path(__file__).parent / "drive.mjs", tronweb_directory)
    done = subprocess.run(
        ["node", "drive.mjs", json.dumps(facts)],
        cwd=tronweb_directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_trx_balances_and_blocks(seen: dict[str, Any]) -> None:
    assert seen["connected"] == {"fullNode": True, "solidityNode": True, "eventServer": True}
    assert seen["sent"] is True
    assert seen["balance"] == seen["unconfirmed"] == 5_000_000_000
    assert seen["block"] > 1
    assert seen["range"] == 2


def test_usdt(seen: dict[str, Any]) -> None:
    assert seen["symbol"] == "USDT"
    assert seen["held"] == "1000"
    assert seen["allowance"] == "77"
    assert seen["transferFrom"] in (True, [True])
    assert seen["left"] == "7"


def test_energy_is_estimated_and_measured_alike(seen: dict[str, Any]) -> None:
    assert seen["energy"] == seen["constant"]
    assert 64_285 <= seen["energy"] <= 64_285 * 1.02


def test_stakes(seen: dict[str, Any]) -> None:
    for order in ("freeze", "lend", "takenBack", "vote", "cancel"):
        assert seen[order] is True, order
    assert seen["loan"] == 1_000_000_000
    assert seen["lendable"] == 2_000_000_000
    assert seen["unfreeze"] == seen["withdrawable"] == seen["withdraw"] == 500_000_000
    assert seen["unfreezeCount"] == 32
    assert seen["resources"]["tronPowerLimit"] == 2_500


def test_memo_and_multisig(seen: dict[str, Any]) -> None:
    assert seen["memo"] == "for tea"
    assert seen["permission"] is True
    assert (seen["weight"], seen["approved"]) == (1, 1)
    assert seen["multisig"] is True


def test_deployment_and_events(seen: dict[str, Any]) -> None:
    assert seen["deployed"] == ["SUCCESS", "5", "Coin"]
    assert seen["events"] == ["70", "1000"]
    assert seen["eventsOfTransaction"] == 1
    assert seen["eventsOfBlock"] == 1


def test_refusals(seen: dict[str, Any]) -> None:
    assert seen["duplicate"] == "DUP_TRANSACTION_ERROR"
    assert seen["tapos"] == "TAPOS_ERROR"
    assert seen["expired"] == "TRANSACTION_EXPIRATION_ERROR"
    assert seen["poor"] == "CONTRACT_VALIDATE_ERROR"
    assert seen["foreign"] == "SIGERROR"
    assert seen["busy"] == "SERVER_BUSY"


def test_failed_runs(seen: dict[str, Any]) -> None:
    assert seen["outOfEnergy"]["result"] == "OUT_OF_ENERGY"
    assert seen["outOfEnergy"]["energy_usage_total"] == 10_000
    assert seen["reverted"] == "REVERT"
