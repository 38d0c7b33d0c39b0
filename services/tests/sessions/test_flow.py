"""From desktop to evidence, with a real display, recorder and chain."""

import pytest

from lucid_proof import Verdict, verify
from lucid_proof.trust import TrustPolicy

from .plant import Plant

pytestmark = pytest.mark.real


def test_a_session_that_was_stopped_verifies_as_complete(plant: Plant) -> None:
    plant.start()
    made = plant.create()
    plant.recorded(made["id"])
    plant.ok("POST", f"/sessions/{made['id']}/stop")
    shown = plant.anchored(made["id"])
    assert (shown["state"], shown["reason"], shown["verdict"]) == ("closed", "stopped", "complete")
    report = verify(plant.export(made["id"]), TrustPolicy.load(plant.trust))
    assert report.verdict is Verdict.COMPLETE, report.findings
    assert report.chunks == shown["chunks_acknowledged"] >= 2
