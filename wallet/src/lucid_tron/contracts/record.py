"""What is kept of a deployment before it is sent, so that one cut off goes on and none is made twice."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from lucid_kit.errors import DomainError, LucidError
from lucid_kit.files import write_atomic
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import decode
from lucid_tron.contracts.artefacts import Artefact
from lucid_tron.sending.attempt import Attempt


class OtherDeployment(DomainError):
    """A file that should hold a deployment holds another one."""

    code = "LUCID_ERR_4792"
    advice = "Name another file for another contract; the one named stands for what it says, for ever."


def read_record(file: Path, artefact: Artefact, deployer: Address) -> Attempt | None:
    """The deployment that a file holds; None if there is no file.

    Raises
    ------
    OtherDeployment
        If it is of another contract or deployer, or cannot be read.
    """
    try:
        found = json.loads(file.read_bytes())
        attempt = Attempt(found["txid"], found["envelope"], found["expiration_ms"])
        owner = decode(attempt.signed.raw).contract.owner_address
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, LucidError) as error:
        raise OtherDeployment(f"{file} is no record of a deployment") from error
    if (found["contract"], found["bytecode_sha256"], owner) != (
        artefact.name,
        artefact.bytecode_sha256,
        deployer,
    ):
        raise OtherDeployment(
            f"{file} is of {found['contract']} by {owner}, not {artefact.name} by {deployer}"
        )
    return attempt


def write_record(file: Path, artefact: Artefact, attempt: Attempt) -> None:
    """Keep signed bytes, durably, before they leave."""
    content = {"contract": artefact.name, "bytecode_sha256": artefact.bytecode_sha256, **asdict(attempt)}
    write_atomic(file, json.dumps(content).encode(), 0o600)
