"""The machine's clock jumps by an hour in mid-session, and the recording is complete all the same."""

import time
from pathlib import Path

import pytest

from demo.instance import judge
from demo.work import Person
from instances import SIZE, start

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.mark.parametrize("jump", ["3600000", "-3600000"])
def test_a_session_during_which_the_clock_jumps_is_complete(tmp_path: Path, jump: str) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    with start(tmp_path, LUCID_FAULT_CLOCK=str(offset)) as instance:
        with Person(instance, SIZE) as person:
            person.type("echo before the jump\n")
            height = instance.lucid("status")["chain"]["height"]
            offset.write_text(jump)
            deadline = time.monotonic() + 40
            while instance.lucid("status")["chain"]["height"] < height + 2:
                assert time.monotonic() < deadline, "no block since the jump"
                time.sleep(0.5)
            person.type("echo after the jump\n")
            time.sleep(3)
        instance.until(person.session, within=60, state="closed", anchored=True)
        bundle = tmp_path / "session.lucid"
        instance.lucid("session", "export", person.session, "-o", str(bundle))
        code, report = judge(bundle, instance.data / "trust.json")
        assert code == 0, report["findings"]
        assert instance.lucid("chain", "verify")["valid"] is True
