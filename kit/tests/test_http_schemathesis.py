"""schemathesis, all checks, against the example app served for real: nothing a stranger sends makes a 5xx."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lucid_kit.tokens import JwksVerifier

from .example_app import build
from .test_http_serve import running


@pytest.mark.real
@pytest.mark.slow
async def test_the_example_app_keeps_what_its_openapi_document_says(
    verifier: JwksVerifier, token: Callable[..., str], tmp_path: Path
) -> None:
    async with running(build(verifier)) as url:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "schemathesis", "run", f"{url}/openapi.json",
            "--checks", "all", "--mode", "all", "--max-examples", "10", "--generation-deterministic",
            "--request-timeout", "10", "-H", f"Authorization: Bearer {token()}",
            "--no-color", "--continue-on-failure",
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-8000:]
