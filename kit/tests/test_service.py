"""A service as a process: how it begins, how it ends, and what it says when it cannot begin."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

PROGRAM = """
import os, sys
from pydantic_settings import SettingsConfigDict
from lucid_kit.errors import Unavailable
from lucid_kit.http import create_app
from lucid_kit.service import serve_main
from lucid_kit.settings import Settings

class ExampleSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_EXAMPLE_")
    port: int = 0
    log_level: str = "info"
    fails: str = ""

def build(settings):
    if settings.fails == "known":
        raise Unavailable("The store is away")
    if settings.fails == "file":
        open("/nowhere/at-all")
    open("made", "w").close()
    return create_app("example", version="1", routers=[], verifier=None)

sys.exit(serve_main("lucid.example", ExampleSettings, build))
"""


def start(cwd: Path, **settings: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **{f"LUCID_EXAMPLE_{name}": value for name, value in settings.items()}}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_says_in_one_line_that_it_answers_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert (ready["ready"], ready["pid"]) == (True, process.pid)
        assert httpx.get(f"{ready['url']}/health").json()["name"] == "example"
        process.send_signal(signal.SIGTERM)
        rest, said = process.communicate(timeout=30)
    assert (process.returncode, rest, "Traceback" in said) == (0, "", False)
    assert (tmp_path / "made").stat().st_mode & 0o077 == 0


def test_what_it_cannot_start_with_is_named_with_what_to_do(tmp_path: Path) -> None:
    for settings, names, advises in (
        ({"PORT": "many"}, "LUCID_EXAMPLE_PORT", "Correct the settings"),
        ({"fails": "known"}, "The store is away", ""),
        ({"fails": "file"}, "/nowhere/at-all: No such file", "start again"),
        ({"PORTS": "1"}, "LUCID_EXAMPLE_PORTS", "Correct the settings"),
    ):
        with start(tmp_path, **settings) as process:
            said, errors = process.communicate(timeout=30)
        assert (process.returncode, said) == (1, ""), settings
        assert names in errors
        assert advises in errors
        assert "lucid.example: " in errors
        assert "Traceback" not in errors


def test_ctrl_c_before_it_serves_is_no_fault(tmp_path: Path) -> None:
    program = PROGRAM.replace("def build(settings):", "def build(settings):\n    raise KeyboardInterrupt\n")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 130
