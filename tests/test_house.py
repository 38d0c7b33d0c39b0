"""The house keeps its own rules: what documents say is so, codes are unique, fault points are walked."""

import re
import subprocess
from pathlib import Path

import pytest

from lucid_kit import fault
from lucid_kit.errors_page import page
from lucid_proof import errors as proof_errors

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / room / "src" for room in ("proof", "kit", "chain", "wallet", "services")]
PAGE = ("lucid_kit", "lucid_blocks", "lucid", "lucid_tron")


def tracked(*patterns: str) -> list[Path]:
    said = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in said.stdout.splitlines()]


def test_the_page_of_errors_is_that_of_the_code() -> None:
    written = (ROOT / "docs/errors.md").read_text()
    assert written == page(PAGE), "run `make docs`"


def test_the_proof_rooms_codes_are_no_other_rooms() -> None:
    ours = {kind.code for kind in _kinds(proof_errors.ProofError) if "code" in kind.__dict__}
    assert ours
    assert not {code for code in ours if code in page(PAGE)}


def test_every_fault_point_is_named_by_a_test_or_walked_by_one() -> None:
    places = fault.names(*SOURCES)
    # These suites walk every point of their sources by name, whatever they are called.
    walked = fault.names(
        ROOT / "services/src/lucid/sessions",
        ROOT / "services/src/lucid/recorder",
        ROOT / "services/src/lucid/recording",
        ROOT / "chain/src",
    )
    texts = "".join(path.read_text() for path in tracked("*test_*.py", "*conftest.py"))
    assert [
        f"{name} ({place})" for name, place in places.items() if name not in walked and name not in texts
    ] == []


@pytest.mark.parametrize("document", [str(p.relative_to(ROOT)) for p in tracked("*.md")])
def test_every_link_of_a_document_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (ROOT / document).parent.joinpath(target).exists()] == []


def test_no_lock_names_a_registry_and_no_file_a_place_of_one_machine() -> None:
    locks = "".join(path.read_text() for path in tracked("requirements/*", "*package-lock.json"))
    assert "--index-url" not in locks
    assert '"resolved"' not in locks
    sources = tracked("*.py", "*.toml", "*.sh", "Makefile", "*.md", "scripts/*")
    foreign = re.compile(r"/(root|home|work)/[a-z]")
    mine = Path(__file__)
    assert [str(path) for path in sources if path != mine and foreign.search(path.read_text())] == []


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", text, flags=re.MULTILINE))
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {target for target in targets if f"make {target} " not in said.stdout} == set()


def _kinds(kind: type) -> list[type]:
    return [each for child in kind.__subclasses__() for each in (child, *_kinds(child))]
