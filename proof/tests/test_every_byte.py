"""Every byte of a bundle is bound: change any one, and the bundle is not judged complete."""

import os
import random
from functools import lru_cache
from pathlib import Path

import pytest

from lucid_proof import Verdict, ed25519, verify
from lucid_proof.testing import a_session

REFUSED = {Verdict.ALTERED, Verdict.UNUSABLE}


@pytest.fixture(autouse=True)
def _signatures_verified_once(monkeypatch):
    # Verifying a signature is a pure function of key, signature and message: remembering it changes nothing
    # but the time that tens of thousands of verifications take.
    monkeypatch.setattr(ed25519, "verify", lru_cache(maxsize=100_000)(ed25519.verify))


def verdicts_of_flips(path: Path, trust, flips):
    """The verdict of each (offset, mask) applied alone."""
    original = path.read_bytes()
    fd = os.open(path, os.O_WRONLY)
    try:
        for at, mask in flips:
            os.pwrite(fd, bytes([original[at] ^ mask]), at)
            yield at, mask, verify(path, trust).verdict
            os.pwrite(fd, original[at : at + 1], at)
    finally:
        os.close(fd)


@pytest.mark.slow
def test_no_byte_of_a_small_bundle_can_change_unnoticed(tmp_path):
    session = a_session().with_chunks(2, size=10_000).closed()
    path = session.write(tmp_path / "a.lucid")
    size = path.stat().st_size
    assert 28_000 < size < 34_000
    assert verify(path, session.policy).verdict is Verdict.COMPLETE
    every = ((at, 1 << (at * 5 % 8)) for at in range(size))
    unnoticed = [each for each in verdicts_of_flips(path, session.policy, every) if each[2] not in REFUSED]
    assert unnoticed == []
    assert verify(path, session.policy).verdict is Verdict.COMPLETE


def test_no_bit_of_sampled_bytes_can_change_unnoticed(tmp_path):
    session = a_session().with_chunks(3, size=3000).paused().with_chunks(1, size=3000).closed()
    path = session.write(tmp_path / "a.lucid")
    draw = random.Random(8785)
    places = draw.sample(range(path.stat().st_size), 250)
    flips = [(at, 1 << bit) for at in places for bit in range(8)]
    unnoticed = [each for each in verdicts_of_flips(path, session.policy, flips) if each[2] not in REFUSED]
    assert unnoticed == []


def test_no_sampled_byte_of_a_larger_bundle_can_change_unnoticed(tmp_path):
    session = a_session().with_chunks(6, size=1_500_000).closed()
    path = session.write(tmp_path / "a.lucid")
    draw = random.Random(6962)
    flips = [(at, draw.randrange(1, 256)) for at in draw.sample(range(path.stat().st_size), 60)]
    unnoticed = [each for each in verdicts_of_flips(path, session.policy, flips) if each[2] not in REFUSED]
    assert unnoticed == []


def test_a_bundle_cut_off_anywhere_is_unusable(tmp_path):
    session = a_session().with_chunks(2, size=10_000).closed()
    path = session.write(tmp_path / "a.lucid")
    whole = path.read_bytes()
    for size in (*range(0, len(whole), 512), len(whole) - 1):
        path.write_bytes(whole[:size])
        report = verify(path, session.policy)
        assert report.verdict is Verdict.UNUSABLE, size
        assert report.findings[0].message


def test_bytes_before_or_behind_a_bundle_make_it_unusable(tmp_path):
    session = a_session().with_chunks(1).closed()
    path = session.write(tmp_path / "a.lucid")
    whole = path.read_bytes()
    for changed in (whole + b"\0", b"\0" + whole, whole + whole):
        path.write_bytes(changed)
        assert verify(path, session.policy).verdict is Verdict.UNUSABLE
