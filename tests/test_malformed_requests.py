"""Whatever is sent to any service, it answers as its OpenAPI document says, and never with a 5xx."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.instance import Instance

pytestmark = [pytest.mark.real, pytest.mark.slow]

# POST /xrdp/service/stop would rightly make the rest unavailable; what makes desktops gets bad bodies only.
RUNS = {
    "auth": ("all", 60, ()),
    "chain": ("all", 50, ()),
    "rdp": ("negative", 60, ("/xrdp/service/.*",)),
    "sessions": ("negative", 60, ()),
}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_sent: dict[str, int] = {}


@pytest.mark.parametrize("service", RUNS)
def test_a_service_answers_malformed_requests_as_documented(
    instance: Instance, service: str, tmp_path: Path
) -> None:
    mode, examples, excluded = RUNS[service]
    token = (instance.data / "operator.token").read_text().strip()
    config = tmp_path / "schemathesis.toml"
    # The token goes by file: arguments can be read by everyone on the machine.
    config.write_text(f'[auth.openapi.bearer]\nbearer = "{token}"\n')
    config.chmod(0o600)
    argv = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", config, "run",
        f"{instance.services[service]}/openapi.json", "--checks", CHECKS, "--mode", mode,
        "--phases", "coverage,fuzzing", "--max-examples", str(examples), "--generation-deterministic",
        "--request-timeout", "20", "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    for path in excluded:
        argv += ["--exclude-path-regex", path]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
    found = re.search(r"(\d+) generated", done.stdout)
    assert found, done.stdout[-2000:]
    _sent[service] = int(found[1])


def test_that_were_thousands_of_requests_and_everything_is_still_well(instance: Instance) -> None:
    assert sum(_sent.values()) >= 5_000, _sent
    assert all(each["ready"] for each in instance.lucid("status")["services"].values())
