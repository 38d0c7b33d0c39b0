"""lucid-verify: the verdict in the first line and in the exit code, whatever it is given."""

import json
import os
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

from lucid_proof import cli, wording
from lucid_proof.receipt import Receipt
from lucid_proof.testing import a_session, rewrite

COMMAND = Path(sysconfig.get_path("scripts")) / "lucid-verify"


@pytest.fixture
def session():
    return a_session().with_chunks(5).closed()


@pytest.fixture
def bundle(session, tmp_path):
    return str(session.write(tmp_path / "a.lucid"))


@pytest.fixture
def trust(session, tmp_path):
    path = tmp_path / "trust.json"
    path.write_text(json.dumps(session.policy.to_json()))
    return str(path)


def test_a_complete_bundle_is_0_and_says_so_first(bundle, trust, capsys):
    assert cli.main([bundle, "--trust", trust]) == 0
    out = capsys.readouterr().out
    assert out.startswith("COMPLETE: every chunk from begin to close is here")
    assert "5 chunks" in out
    assert "proved    made after 2025-10-09 08:53:30.000 UTC" in out
    assert "chunks 2–3" not in out


def test_all_windows_are_listed_on_request(bundle, trust, capsys):
    assert cli.main([bundle, "--trust", trust, "--windows"]) == 0
    assert "chunks 2–3" in capsys.readouterr().out


def test_an_altered_bundle_is_1_and_names_the_chunk(bundle, trust, tmp_path, capsys):
    forged = rewrite(
        Path(bundle), tmp_path / "b", lambda members: members.update({"chunks/00000003.bin": b"x"})
    )
    assert cli.main([str(forged), "--trust", trust]) == 1
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "ALTERED: this is not what was recorded. Do not rely on it."
    assert second == "  chunk 3: it has 1 bytes, and its record says 5000"


def test_a_running_session_is_2(tmp_path, trust, capsys):
    assert cli.main([str(a_session().with_chunks(2).write(tmp_path / "b")), "--trust", trust]) == 2
    assert "INCOMPLETE" in capsys.readouterr().out


def test_no_policy_is_3_and_names_log_and_keys(bundle, capsys):
    assert cli.main([bundle]) == 3
    out = capsys.readouterr().out
    assert out.startswith("NOT ANCHORED")
    assert "lucid.local/testing/validator-1 (key " in out
    assert "claimed   made after" in out


def test_something_else_is_64_with_one_line_of_reason(tmp_path, capsys):
    assert cli.main([str(tmp_path / "missing")]) == 64
    out = capsys.readouterr().out
    assert out.startswith("UNUSABLE: this file cannot be judged.\n  ")
    assert "No such file" in out.splitlines()[1]


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b"], ["--nonsense", "a"], ["a", "--trust"], ["receipt"], ["receipt", "a"]]
)
def test_wrong_usage_is_64_and_not_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 64
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["receipt", "--help"]])
def test_help_has_an_example_and_the_exit_codes(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "example:" in out
    assert "exit codes:" in out


@pytest.mark.parametrize(
    "content", [None, "", "{}", "[]", "nonsense", '{"origin":"x","log":"y","quorum":0}', "[" * 9999]
)
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_an_unusable_policy_is_64(bundle, tmp_path, content, as_json, capsys):
    path = tmp_path / "policy"
    if content is not None:
        path.write_text(content)
    assert cli.main([bundle, "--trust", str(path), *as_json]) == 64
    captured = capsys.readouterr()
    assert "trust policy is unusable" in captured.err
    if as_json:
        assert json.loads(captured.out)["verdict"] == "unusable"


def test_json_has_what_programs_need(bundle, trust, capsys):
    assert cli.main([bundle, "--trust", trust, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["chunks"], found["findings"]) == ("complete", 5, [])
    assert found["session"].startswith("ses_")
    assert "windows" not in found
    assert cli.main([bundle, "--json", "--windows"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["findings"][0]["code"] == "no-policy"
    assert found["windows"][0]["first_chunk"] == 0


def test_a_receipt_is_judged_with_its_own_exit_codes(session, tmp_path, trust, capsys):
    path = tmp_path / "receipt.json"
    path.write_bytes(Receipt(session.records[0][0], session.log.log_key.verifier).bytes())
    log = str(session.log.store(tmp_path / "log"))
    assert cli.main(["receipt", str(path), "--log", log, "--trust", trust]) == 0
    assert capsys.readouterr().out.startswith("KEPT: ")
    assert cli.main(["receipt", str(path), "--log", log, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == "kept"
    assert cli.main(["receipt", str(tmp_path), "--log", log]) == 64
    assert capsys.readouterr().out.startswith("UNUSABLE: ")


def test_what_a_bundle_says_cannot_write_to_the_terminal(bundle, session, tmp_path, capsys):
    def change(members):
        members["checkpoint"] = members["checkpoint"].replace(
            b"lucid.local/testing\n", "l\u202e\u009b31m\n".encode(), 1
        )

    cli.main([str(rewrite(Path(bundle), tmp_path / "b\x1b[2J", change))])
    out = capsys.readouterr().out
    assert "\u202e" not in out
    assert "\x1b" not in out
    assert "\u009b" not in out


def test_times_beyond_the_calendar_are_printed_as_numbers():
    assert wording.moment(2**53 - 1) == f"{2**53 - 1} ms"


def run(bundle, trust, **streams) -> subprocess.CompletedProcess:
    return subprocess.run([COMMAND, bundle, "--trust", trust], stderr=subprocess.PIPE, check=False, **streams)


def test_the_installed_command_answers(bundle, trust):
    done = run(bundle, trust, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"COMPLETE")


def test_the_exit_code_answers_when_nobody_reads(bundle, trust):
    read, write = os.pipe()
    os.close(read)
    done = run(bundle, trust, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    closed = subprocess.run(
        ["sh", "-c", '"$0" "$1" >&-', COMMAND, bundle], stderr=subprocess.PIPE, check=False
    )
    assert (closed.returncode, closed.stderr) == (3, b"")


def test_an_answer_that_cannot_be_written_is_no_success(bundle, trust):
    with Path("/dev/full").open("w") as full:
        done = run(bundle, trust, stdout=full)
    assert done.returncode == 64
    assert b"the answer cannot be written: No space left" in done.stderr


def test_an_ascii_terminal_gets_escapes_and_no_trace(bundle, trust):
    done = run(
        bundle, trust, stdout=subprocess.PIPE, env={"PYTHONIOENCODING": "ascii", "PATH": os.environ["PATH"]}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2013" in done.stdout


def test_ctrl_c_ends_without_a_trace(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "verify", interrupted)
    assert cli.main(["a"]) == 128 + signal.SIGINT
