"""Making a chain, its keys, and the commands that do not need a running one."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lucid_blocks import home
from lucid_blocks.cli import main
from lucid_blocks.faults import AlreadyInitialised, DataDamaged, KeyUnusable, NotInitialised
from lucid_blocks.keys import load_key, make_key
from lucid_kit.clock import ManualClock
from lucid_proof.trust import TrustPolicy

from .builders import RECORDER, DiskChain, public

CLOCK = ManualClock()


def test_a_new_chain_has_keys_that_only_its_user_can_read(tmp_path: Path) -> None:
    directory = tmp_path / "chain"
    genesis = home.initialise(directory, "demo", [public(RECORDER)], CLOCK)
    assert genesis.chain.startswith("lucid.local/demo-")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in (home.LOG_KEY, home.VALIDATOR_KEY, "chain.db", "anchor/checkpoint"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600, name
    assert home.load_genesis(directory) == genesis
    identity = home.load_identity(directory, genesis)
    assert identity.log.verifier == genesis.log
    assert identity.validator.verifier == genesis.validators[0].cosigner


def test_a_name_with_a_slash_is_a_domain_of_ones_own(tmp_path: Path) -> None:
    assert home.initialise(tmp_path / "c", "example.org/x", [], CLOCK).chain.startswith("example.org/x-")


def test_two_chains_of_one_name_are_two_chains(tmp_path: Path) -> None:
    names = {home.initialise(tmp_path / each, "demo", [], CLOCK).chain for each in "ab"}
    assert len(names) == 2


def test_a_chain_is_never_overwritten(tmp_path: Path) -> None:
    home.initialise(tmp_path / "chain", "demo", [], CLOCK)
    with pytest.raises(AlreadyInitialised):
        home.initialise(tmp_path / "chain", "demo", [], CLOCK)


def test_an_empty_directory_will_do_and_what_an_interrupted_init_left_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "chain").mkdir()
    (tmp_path / "chain.partial").mkdir()
    (tmp_path / "chain.partial" / "rubbish").touch()
    home.initialise(tmp_path / "chain", "demo", [], CLOCK)
    assert not (tmp_path / "chain.partial").exists()


@pytest.mark.parametrize("name", ["", "Demo", "a b", "a+b", "x" * 201, "../x y"])
def test_a_name_that_cannot_be_an_origin_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(home.BadName):
        home.initialise(tmp_path / "chain", name, [], CLOCK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["", "00", "zz" * 32, "AB" * 32, "00" * 32, "01" + "00" * 31])
def test_a_recorder_that_is_no_key_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(home.BadRecorder):
        home.initialise(tmp_path / "chain", "demo", [key], CLOCK)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = make_key(path)
    assert load_key(path).private_bytes_raw() == made.private_bytes_raw()
    path.chmod(0o640)
    with pytest.raises(KeyUnusable, match="0640"):
        load_key(path)


def test_a_file_that_holds_no_ed25519_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(KeyUnusable):
        load_key(path)
    path.write_text("rubbish")
    path.chmod(0o600)
    with pytest.raises(KeyUnusable, match="PKCS"):
        load_key(path)
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem)
    with pytest.raises(KeyUnusable, match="Ed25519"):
        load_key(path)


@pytest.mark.parametrize("name", [home.LOG_KEY, home.VALIDATOR_KEY])
def test_a_key_of_another_chain_is_refused(disk: DiskChain, name: str) -> None:
    (disk.directory / name).unlink()
    make_key(disk.directory / name)
    with pytest.raises(KeyUnusable, match="genesis"):
        home.load_identity(disk.directory, disk.node.genesis)


def test_a_directory_without_a_genesis_holds_no_chain(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised):
        home.load_genesis(tmp_path)
    (tmp_path / home.GENESIS).write_text("{}")
    with pytest.raises(DataDamaged):
        home.load_genesis(tmp_path)


def test_init_trust_and_verify_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--data", str(tmp_path / "chain")]
    assert main(["init", *at, "--name", "demo", "--recorder", public(RECORDER)]) == 0
    assert "lucid-blocks run" in capsys.readouterr().out
    assert main(["trust", *at]) == 0
    policy = TrustPolicy.parse(capsys.readouterr().out)
    assert policy.quorum == 1
    assert main(["verify", *at]) == 0
    assert "1 blocks, 0 transactions" in capsys.readouterr().out
    assert main(["verify", *at, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["valid"] is True
    (tmp_path / "chain/tlog/checkpoint").write_text("x")
    assert main(["verify", *at]) == 1
    assert "Differs at height 0, tlog" in capsys.readouterr().out
    assert main(["verify", *at, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["difference"]["where"] == "tlog"


def test_init_prints_one_json_document_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--data", str(tmp_path / "chain"), "--json"]
    assert main(["init", *at, "--name", "demo"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["chain"] == made["trust"]["origin"]
    assert main(["init", *at, "--name", "demo"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["code"] == "LUCID_ERR_5202"
    assert "never overwritten" in said.err


def test_commands_on_a_directory_without_a_chain_say_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("run", "verify", "trust"):
        assert main([command, "--data", str(tmp_path)]) == 1
        said = capsys.readouterr()
        assert "LUCID_ERR_5201" in said.err
        assert "lucid-blocks init" in said.err


@pytest.mark.parametrize(
    "args", [[], ["init"], ["init", "--data", "x", "--name", "n", "--block-ms", "0"], ["nothing"]]
)
def test_wrong_usage_exits_with_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["init", "--data", str(tmp_path / "file" / "chain"), "--name", "demo"]) == 1
    assert "Not a directory" in capsys.readouterr().err
