"""Compiled contracts, read from the package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from lucid_kit.errors import SystemFault

_KEPT = ("type", "name", "anonymous", "constant", "payable", "stateMutability")
NAMES = ("DevnetUSDT", "PayoutRouter", "KycPayoutRouter")


class ArtefactDamaged(SystemFault):
    """A compiled contract in this installation is not the one whose digest it states."""

    code = "LUCID_ERR_5790"
    advice = "Install lucid-tron again; do not deploy anything from this installation."


@dataclass(frozen=True, slots=True)
class Artefact:
    """One compiled contract. `bytecode` creates it, `runtime` is what then stands on the chain.

    Immutable values are zero in `runtime`, at `immutables` (start, length); the chain has them filled in.
    """

    name: str
    compiler: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    runtime: bytes
    bytecode_sha256: str
    runtime_sha256: str
    immutables: tuple[tuple[int, int], ...]

    def chain_abi(self) -> list[dict[str, Any]]:
        """Return the ABI in the words of TRON's SmartContract.ABI, which knows no tuple components."""
        return [chain_entry(each) for each in self.abi]


def chain_entry(each: dict[str, Any]) -> dict[str, Any]:
    """Return one entry of a JSON ABI with only the fields that TRON stores."""

    def params(name: str) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in item.items() if key in ("name", "type", "indexed")}
            for item in each.get(name, [])
        ]

    found = {key: each[key] for key in _KEPT if key in each}
    return found | {"inputs": params("inputs"), "outputs": params("outputs")}


@cache
def artefact(name: str) -> Artefact:
    """Return a compiled contract by name, one of `NAMES`.

    Raises
    ------
    ArtefactDamaged
        If its bytecode has not the digest it states.
    """
    content = json.loads(files(__package__).joinpath("artifacts", f"{name}.json").read_text())
    found = Artefact(
        name=content["contract"],
        compiler=content["compiler"],
        abi=content["abi"],
        bytecode=bytes.fromhex(content["bytecode"]),
        runtime=bytes.fromhex(content["runtime"]),
        bytecode_sha256=content["bytecode_sha256"],
        runtime_sha256=content["runtime_sha256"],
        immutables=tuple((start, length) for start, length in content["immutables"]),
    )
    if sha256(found.bytecode).hexdigest() != found.bytecode_sha256:
        raise ArtefactDamaged(f"The bytecode of {name} has not the digest {found.bytecode_sha256}")
    return found
