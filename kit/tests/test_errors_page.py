import subprocess
import sys

from lucid_kit.errors import catalogue
from lucid_kit.errors_page import page


def test_the_page_has_every_code_of_the_kit_once_with_its_advice() -> None:
    text = page(["lucid_kit"])
    kinds = [kind for kind in catalogue() if kind.__module__.startswith("lucid_kit.")]
    assert kinds
    for kind in kinds:
        assert text.count(f"| `{kind.code}` | {kind.status} |") == 1
    assert "LUCID_ERR_49" not in text  # what tests define is not the product's


def test_the_page_is_written_by_the_command_it_names() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lucid_kit.errors_page"], capture_output=True, text=True, check=True
    )
    assert done.stdout == page(["lucid_kit"])
