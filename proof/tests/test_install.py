"""The distribution stands alone: `cryptography` and the standard library, nothing else."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import lucid_proof
from lucid_proof.testing import a_session

ROOM = Path(__file__).parents[1]
ALLOWED = {"cryptography", "lucid_proof", *sys.stdlib_module_names}


def test_no_module_imports_anything_but_cryptography_and_the_standard_library():
    for path in Path(lucid_proof.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= ALLOWED, path


def test_the_product_does_not_import_what_is_for_tests():
    for path in Path(lucid_proof.__file__).parent.glob("*.py"):
        if path.name != "testing.py":
            assert "lucid_proof.testing" not in path.read_text(), path


@pytest.mark.slow
def test_pip_installs_it_alone_with_cryptography(tmp_path):
    """`pip install ./proof` into an empty environment; then lucid-verify judges a bundle there."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOM)]
    subprocess.run(install, check=True, cwd=tmp_path)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
    )
    installed = {each["name"].lower() for each in json.loads(listed.stdout)} - {"pip", "setuptools"}
    # cffi and pycparser are cryptography's own.
    assert installed - {"cffi", "pycparser"} == {"lucid-proof", "cryptography"}
    session = a_session().with_chunks(2).closed()
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(session.policy.to_json()))
    command = [
        tmp_path / "venv" / "bin" / "lucid-verify",
        session.write(tmp_path / "a.lucid"),
        "--trust",
        trust,
    ]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stderr) == (0, "")
