"""Write docs/errors.md from the catalogue of errors.

python -m lucid_kit.errors_page lucid_kit lucid_blocks … > docs/errors.md
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterable

from lucid_kit.errors import LucidError, catalogue

_FAMILIES = {
    "1": "the request is wrong",
    "2": "who you are, and what you may do",
    "3": "limits",
    "4": "a rule of the field forbids it",
    "5": "our side failed",
}
_HEAD = """\
# Errors

For whoever gets one: look up its `code`, and do what it says. Every failure over HTTP is an RFC 9457
document (`application/problem+json`) with `title`, `status`, `detail`, `code`, `advice` and `facts`; the
command line shows the same code and advice. A code keeps its meaning for ever.

Written by `python -m lucid_kit.errors_page {packages} > docs/errors.md`; change the errors, not this page.
"""


def page(packages: Iterable[str]) -> str:
    """The page in Markdown, with every error of those packages, all their modules imported."""
    names = list(packages)
    for name in names:
        _import_all(name)
    kinds = [kind for kind in catalogue() if kind.__module__.split(".")[0] in names]
    parts = [_HEAD.format(packages=" ".join(names))]
    for digit, family in _FAMILIES.items():
        rows = [_row(kind) for kind in kinds if kind.code.removeprefix("LUCID_ERR_")[0] == digit]
        if rows:
            head = ["| code | HTTP | what happened | what to do |", "|---|---|---|---|"]
            parts.append("\n".join([f"## {digit}xxx — {family}", "", *head, *rows]) + "\n")
    return "\n".join(parts)


def _row(kind: type[LucidError]) -> str:
    cells = [f"`{kind.code}`", str(kind.status), kind.title, kind.advice]
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _import_all(package: str) -> None:
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(getattr(root, "__path__", []), f"{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1:] or ["lucid_kit"]))
