"""Do the tests notice when the verifier is wrong? Breaks it in one place at a time and runs them.

    python proof/mutation.py [--sample N] [--module NAME …]

A mutant changes one comparison, operator, number, `raise` or checking call of a module; the tests that are
about the module run against it. A survivor is a place where the code can be wrong unnoticed: either a test is
missing, or the change makes no difference. Takes some seconds a mutant, so it is no part of `make test`.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOM = Path(__file__).parent
PACKAGE = ROOM / "src" / "lucid_proof"
VERDICT = ("test_attacks", "test_time", "test_form", "test_bundle", "test_vectors")
TESTS = {
    "merkle": ("test_merkle", "test_attacks"),
    "note": ("test_note",),
    "checkpoint": ("test_note",),
    "tlogproof": ("test_tlogproof", "test_attacks"),
    "canonical": ("test_canonical",),
    "ed25519": ("test_note", "test_records"),
    "fields": ("test_records",),
    "records": ("test_records",),
    "zipform": VERDICT,
    "reader": VERDICT,
    "layout": VERDICT,
    "blocks": VERDICT,
    "history": VERDICT,
    "chunks": VERDICT,
    "verifier": VERDICT,
    "receipt": ("test_receipt",),
}
SWAPPED = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
}


def mutants(tree: ast.Module) -> Iterator[tuple[int, str, ast.Module]]:
    """Line, description and whole module of each mutant."""
    for place, node in enumerate(ast.walk(tree)):
        for change in changes(node):
            mutant = copy.deepcopy(tree)
            target = next(each for at, each in enumerate(ast.walk(mutant)) if at == place)
            before = ast.unparse(target)
            after = change(target)
            parent = next(each for each in ast.walk(mutant) if target in ast.iter_child_nodes(each))
            replace(parent, target, after)
            yield (
                node.lineno,
                f"{before[:70]!r} → {ast.unparse(after)[:70]!r}",
                ast.fix_missing_locations(mutant),
            )


def changes(node: ast.AST):
    """What can be done to a node: functions from it to what takes its place."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        yield lambda it: ast.Compare(it.left, [SWAPPED[type(it.ops[0])](), *it.ops[1:]], it.comparators)
    elif isinstance(node, ast.BoolOp):
        yield lambda it: ast.BoolOp(SWAPPED[type(it.op)](), it.values)
    elif (
        isinstance(node, ast.BinOp)
        and type(node.op) in SWAPPED
        and not isinstance(node.left, ast.Name | ast.Constant)
    ):
        yield lambda it: ast.BinOp(it.left, SWAPPED[type(it.op)](), it.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda it: it.operand
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield lambda it: ast.Constant(it.value + 1)
    elif isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield lambda _: ast.Pass()


def replace(parent: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
        elif isinstance(value, list):
            value[:] = [new if each is old else each for each in value]


def survives(module: str, source: str) -> bool:
    """Whether the module's tests pass with this source in its place."""
    with tempfile.TemporaryDirectory(prefix="lucid-mutant-") as place:
        overlay = Path(place) / "lucid_proof"
        shutil.copytree(PACKAGE, overlay, ignore=shutil.ignore_patterns("__pycache__"))
        (overlay / f"{module}.py").write_text(source)
        tests = [str(ROOM / "tests" / f"{name}.py") for name in TESTS[module]]
        # Without the plugins and settings of the workspace: most of a mutant's time would be loading them.
        pytest = [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            os.devnull,
            "--rootdir",
            ROOM,
            "--import-mode=importlib",
        ]
        command = [*pytest, "-x", "-q", "-p", "no:cacheprovider", "-k", "not memory", *tests]
        environment = {
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": place,
            "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": place,
        }
        try:
            done = subprocess.run(
                command, cwd=ROOM.parent, env=environment, capture_output=True, timeout=120, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sample", type=int, help="at most so many mutants a module, drawn with a fixed seed"
    )
    parser.add_argument("--module", nargs="*", choices=TESTS, default=list(TESTS))
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    rows, survivors = [], []
    for module in options.module:
        found = list(mutants(ast.parse((PACKAGE / f"{module}.py").read_text())))
        if options.sample and len(found) > options.sample:
            found = random.Random(module).sample(found, options.sample)
        with ThreadPoolExecutor(options.jobs) as pool:
            alive = list(pool.map(lambda each: survives(module, ast.unparse(each[2])), found))  # noqa: B023
        rows.append((module, len(found), sum(alive)))
        print(f"{module}: {sum(alive)} of {len(found)} survive", file=sys.stderr, flush=True)
        survivors += [(module, *each[:2]) for each, lives in zip(found, alive, strict=True) if lives]
    for module, line, what in sorted(survivors):
        print(f"{module}.py:{line}: {what}")
    print(f"\n{'module':<12}{'mutants':>9}{'survive':>9}{'killed':>9}")
    for module, count, alive in [*rows, ("all", sum(row[1] for row in rows), sum(row[2] for row in rows))]:
        print(f"{module:<12}{count:>9}{alive:>9}{(count - alive) / max(count, 1):>9.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
