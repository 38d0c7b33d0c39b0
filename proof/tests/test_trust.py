"""Trust policies: read strictly, refused with the member's name."""

import json

import pytest

from lucid_proof.errors import MalformedPolicy
from lucid_proof.testing import TestLog
from lucid_proof.trust import TrustPolicy

GOOD = TestLog().policy().to_json()
WITNESS, LOG = GOOD["witnesses"][0], GOOD["log"]


def test_a_policy_is_the_same_after_a_round_trip():
    assert TrustPolicy.parse(json.dumps(GOOD)).to_json() == GOOD


def test_members_of_other_tools_are_ignored_at_the_top():
    assert TrustPolicy.parse(json.dumps(GOOD | {"comment": "ours"})).quorum == 2


def test_what_is_left_out_has_its_default():
    least = TrustPolicy.parse(json.dumps({"origin": "o", "log": LOG, "quorum": 0}))
    assert (least.witnesses, least.max_clock_skew_ms, least.recorders) == ((), 60_000, None)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"origin": ""}, "origin"),
        ({"origin": "a\nb"}, "origin"),
        ({"origin": None}, "origin"),
        ({"log": WITNESS}, "log"),
        ({"log": "x"}, "log"),
        ({"log": 5}, "log"),
        ({"witnesses": [LOG]}, "witnesses"),
        ({"witnesses": [WITNESS, WITNESS]}, "witnesses"),
        ({"witnesses": ["x"]}, r"witnesses\[0\]"),
        ({"witnesses": [5]}, r"witnesses\[0\]"),
        ({"witnesses": WITNESS}, "witnesses"),
        ({"witnesses": [WITNESS] * 101}, "witnesses"),
        ({"quorum": 4}, "quorum"),
        ({"quorum": -1}, "quorum"),
        ({"quorum": True}, "quorum"),
        ({"quorum": 1.5}, "quorum"),
        ({"quorum": None}, "quorum"),
        ({"lucid": {"more": 1}}, "lucid"),
        ({"lucid": []}, "lucid"),
        ({"lucid": {"max_clock_skew_ms": -1}}, r"lucid\.max_clock_skew_ms"),
        ({"lucid": {"max_clock_skew_ms": 2**60}}, r"lucid\.max_clock_skew_ms"),
        ({"lucid": {"max_clock_skew_ms": "1"}}, r"lucid\.max_clock_skew_ms"),
        ({"lucid": {"recorders": ["AB" * 32]}}, r"lucid\.recorders\[0\]"),
        ({"lucid": {"recorders": ["zz"]}}, r"lucid\.recorders\[0\]"),
        ({"lucid": {"recorders": "ab"}}, r"lucid\.recorders"),
    ],
)
def test_a_member_that_is_wrong_is_named(change, where):
    with pytest.raises(MalformedPolicy, match=where):
        TrustPolicy.parse(json.dumps(GOOD | change))


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "1", "[" * 50_000, " " * 70_000, b"\xff\xfe\xff"])
def test_what_is_no_policy_is_refused(text):
    with pytest.raises(MalformedPolicy):
        TrustPolicy.parse(text)


def test_the_file_is_named(tmp_path):
    with pytest.raises(MalformedPolicy, match=r"missing\.json: cannot be read: No such file"):
        TrustPolicy.load(tmp_path / "missing.json")
    path = tmp_path / "trust.json"
    path.write_text(json.dumps(GOOD | {"quorum": 9}))
    with pytest.raises(MalformedPolicy, match=r"trust\.json: quorum: a quorum of 9 out of 3"):
        TrustPolicy.load(path)
