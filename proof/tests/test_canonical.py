"""Canonical JSON: RFC 8785, narrowed and strict."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid_proof.canonical import MAX_DEPTH, MAX_INTEGER, decode, encode
from lucid_proof.errors import NotCanonical

SCALARS = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def test_the_vectors_of_rfc_8785_come_out_byte_for_byte(vectors):
    for case in vectors("rfc8785.json")["cases"]:
        expected = bytes.fromhex(case["output_hex"])
        if case["refused"]:
            with pytest.raises(NotCanonical):
                encode(json.loads(case["input"]))
        else:
            assert encode(json.loads(case["input"])) == expected, case["name"]
            assert encode(decode(expected)) == expected


def test_members_are_sorted_by_utf16_code_units_and_not_by_code_points():
    # U+1F602 is D83D DE02 in UTF-16, which comes before U+FB33; by code point it would come after.
    assert list(decode('{"\U0001f602":1,"\ufb33":2}'.encode())) == ["\U0001f602", "\ufb33"]
    with pytest.raises(NotCanonical, match="canonical form"):
        decode('{"\ufb33":2,"\U0001f602":1}'.encode())


@given(VALUES)
def test_what_is_encoded_is_decoded_again(value):
    assert decode(encode(value)) == value


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_canonical_or_refused(data):
    try:
        value = decode(data)
    except NotCanonical:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a":1, "b":2}', "canonical form"),
        (b'{"b":1,"a":2}', "canonical form"),
        (b'{"a":1,"a":1}', "stands twice"),
        (b'"\\u0041"', "canonical form"),
        (b'"\\/"', "canonical form"),
        (b'"\\u000A"', "canonical form"),
        (b"-0", "canonical form"),
        (b"01", "not JSON"),
        (b"1.0", "without exponent"),
        (b"1e3", "without exponent"),
        (b"NaN", "without exponent"),
        (b"Infinity", "without exponent"),
        (b"9007199254740992", "beyond"),
        (b"-9007199254740992", "beyond"),
        (b"1" * 5000, "beyond"),
        (b"\xff", "UTF-8"),
        (b"\xef\xbb\xbf1", "not JSON"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\ud800":1}', "surrogate"),
        (b"", "not JSON"),
        (b"1 ", "canonical form"),
        (b"[" * 100_000, "levels deep"),
        (b"[" * 40 + b"]" * 40, "levels deep"),
        (b'{"a":' * 100_000, "levels deep"),
    ],
)
def test_other_spellings_are_refused(data, message):
    with pytest.raises(NotCanonical, match=message):
        decode(data)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [0, 1.5]}, r"\$\.a\[1\]"),
        ({1: 2}, r"\$"),
        ({"a": b"x"}, r"\$\.a"),
        (2**53, r"\$"),
        ("\ud800", r"\$"),
        (float("nan"), r"\$"),
    ],
)
def test_values_without_a_canonical_form_are_refused_by_path(value, where):
    with pytest.raises(NotCanonical, match=where):
        encode(value)


def test_the_largest_integers_and_the_deepest_nesting_are_allowed():
    assert decode(encode(MAX_INTEGER)) == MAX_INTEGER
    assert decode(encode(-MAX_INTEGER)) == -MAX_INTEGER
    nested = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
    assert encode(decode(nested)) == nested
