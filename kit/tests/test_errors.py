import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid_kit import errors
from lucid_kit.errors import DomainError, LucidError, catalogue, problem


def test_a_problem_has_the_members_of_rfc_9457_and_ours() -> None:
    body = problem(errors.NotFound("There is no note n1", id="n1"), "/notes/n1")
    assert body == {
        "type": "urn:lucid:error:LUCID_ERR_1404",
        "title": "There is nothing under that name.",
        "status": 404,
        "detail": "There is no note n1",
        "code": "LUCID_ERR_1404",
        "advice": errors.NotFound.advice,
        "facts": {"id": "n1"},
        "instance": "/notes/n1",
    }


def test_a_problem_without_a_request_has_no_instance() -> None:
    assert "instance" not in problem(errors.NotFound("gone"), None)


def test_the_title_is_the_first_sentence_of_the_docstring_unless_given() -> None:
    class Torn(DomainError):
        """The journal is torn. It ends in the
        middle of a record."""

    class Named(DomainError):
        """Something."""

        title = "A better name."

    assert (Torn.title, Named.title) == ("The journal is torn.", "A better name.")


def test_every_code_in_the_kit_is_unique_well_formed_and_has_advice() -> None:
    kinds = [kind for kind in catalogue() if kind.__module__.startswith("lucid_kit")]
    assert len(kinds) >= 15
    family = {400: "1", 401: "2", 403: "2", 404: "1", 405: "1", 413: "1", 415: "1", 422: "1", 429: "3"}
    for kind in kinds:
        assert kind.code.startswith("LUCID_ERR_")
        assert len(kind.code) == 14
        assert kind.advice
        assert kind.title.endswith(".")
        assert kind.code[10] == family.get(kind.status, "4" if kind.status == 409 else "5"), kind


def test_two_kinds_with_one_code_are_found() -> None:
    class One(DomainError):
        """One."""

        code = "LUCID_ERR_4998"

    class Other(DomainError):
        """Other."""

        code = "LUCID_ERR_4998"

    with pytest.raises(ValueError, match=r"LUCID_ERR_4998 is both .*O"):
        catalogue()
    del One, Other
    import gc

    gc.collect()


@given(
    st.dictionaries(
        st.from_regex("[a-z]{1,8}", fullmatch=True).filter(lambda n: n != "detail"),
        st.recursive(
            st.none()
            | st.integers()
            | st.text()
            | st.binary()
            | st.sets(st.text())
            | st.builds(Path, st.just("/x")),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_facts_of_any_kind_become_json(facts: dict[str, object]) -> None:
    facts.pop("self", None)
    json.dumps(problem(LucidError("x", **facts), None))


def test_the_text_of_an_error_names_its_code() -> None:
    assert str(errors.Forbidden("No.")) == "No. (LUCID_ERR_2403)"
