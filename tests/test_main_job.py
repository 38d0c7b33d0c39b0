"""The main job as the demo does it, and what others can do with what it leaves."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from demo.instance import LUCID, LUCID_VERIFY, Instance, judge
from instances import Recorded

pytestmark = pytest.mark.real


@pytest.mark.slow
def test_the_demo_ends_with_everything_as_it_must_be(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "demo", "--out", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 different pixels" in done.stdout


def test_an_exported_session_is_complete_under_its_own_policy_and_anchored_by_nobody_without(
    recorded: Recorded,
) -> None:
    code, report = judge(recorded.bundle, recorded.trust)
    assert (code, report["verdict"], report["session"]) == (0, "complete", recorded.id)
    assert report["windows"]
    assert judge(recorded.bundle, None)[0] == 3


def test_every_chunk_has_a_window_between_two_blocks(recorded: Recorded) -> None:
    _, report = judge(recorded.bundle, recorded.trust)
    covered = [n for w in report["windows"] for n in range(w["first_chunk"], w["last_chunk"] + 1)]
    assert covered == list(range(report["chunks"]))
    assert all(w["not_before_ms"] < w["not_after_ms"] for w in report["windows"])


def test_any_zip_tool_lists_the_bundle(recorded: Recorded) -> None:
    with zipfile.ZipFile(recorded.bundle) as bundle:
        assert bundle.testzip() is None
        assert bundle.namelist()[0] == "chunks/00000000.bin"
        assert bundle.namelist()[-1] == "manifest.json"
    subprocess.run(["unzip", "-tqq", str(recorded.bundle)], check=True, capture_output=True)


def test_the_receipt_was_kept_says_the_log_over_http_and_in_its_directory(
    instance: Instance, recorded: Recorded
) -> None:
    for log in (f"{instance.services['chain']}/tlog", str(instance.data / "chain" / "tlog")):
        argv = [LUCID_VERIFY, "receipt", str(recorded.receipt), "--log", log, "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_exporting_again_gives_the_same_chunks_and_a_verdict(instance: Instance, recorded: Recorded) -> None:
    again = recorded.bundle.with_name("again.lucid")
    instance.lucid("session", "export", recorded.id, "-o", str(again))
    with zipfile.ZipFile(recorded.bundle) as first, zipfile.ZipFile(again) as second:
        chunks = [name for name in first.namelist() if name.startswith("chunks/")]
        assert [first.read(name) for name in chunks] == [second.read(name) for name in chunks]


def test_the_last_frame_can_be_replayed_as_a_png(
    instance: Instance, recorded: Recorded, tmp_path: Path
) -> None:
    instance.lucid("session", "replay", recorded.id, "--frame", "last", "-o", str(tmp_path / "last.png"))
    assert (tmp_path / "last.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_chain_verifies_while_it_runs(instance: Instance, recorded: Recorded) -> None:
    report = instance.lucid("chain", "verify")
    assert report["valid"] is True
    assert report["transactions"] >= 2


def test_no_bytes_of_title_text_or_pixels_are_in_anything_the_run_wrote(
    instance: Instance, recorded: Recorded
) -> None:
    wanted = [recorded.title.encode(), recorded.title.encode("utf-16-le"), recorded.pixels]
    files = [path for path in instance.data.rglob("*") if path.is_file()] + [recorded.bundle]
    assert len(files) > 20
    found = [(path, at) for path in files for at, text in enumerate(wanted) if text in path.read_bytes()]
    assert found == []


def test_deleting_a_session_destroys_its_key_and_leaves_its_proof(
    instance: Instance, recorded: Recorded, tmp_path: Path
) -> None:
    instance.lucid("session", "delete", recorded.id, "--yes")
    bundle = tmp_path / "after.lucid"
    instance.lucid("session", "export", recorded.id, "-o", str(bundle))
    assert judge(bundle, recorded.trust)[0] == 0
    argv = [LUCID, "--data", str(instance.data), "session", "replay", recorded.id, "--frame", "last"]
    done = subprocess.run([*argv, "-o", str(tmp_path / "x.png"), "--json"], capture_output=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"].startswith("LUCID_ERR_4")
    assert not (tmp_path / "x.png").exists()
