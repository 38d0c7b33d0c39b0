"""The frozen chain: another implementation must get the same bytes, and so must this one for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from lucid_blocks.genesis import Genesis, first_block
from lucid_blocks.models import Block, Entry
from lucid_blocks.state import MemoryHistory, apply, commitment
from lucid_proof.checkpoint import open_checkpoint
from lucid_proof.domains import state_root
from lucid_proof.records import Header
from lucid_proof.trust import TrustPolicy

from .vectors import document

PATH = Path(__file__).parents[2] / "docs" / "specs" / "vectors" / "chain.json"


@pytest.fixture(scope="module")
def frozen() -> Any:
    return json.loads(PATH.read_text())


def test_the_frozen_chain_is_what_the_rules_make(frozen: Any) -> None:
    assert document() == frozen


def test_the_frozen_chain_executes_from_its_text_alone(frozen: Any) -> None:
    genesis = Genesis.parse(frozen["genesis"].encode())
    assert genesis.hash().hex() == frozen["genesis_hash"]
    policy = TrustPolicy.parse(json.dumps(frozen["trust"]))
    first, state = first_block(genesis, MemoryHistory())
    for number, each in enumerate(frozen["blocks"]):
        header = Header.parse(each["header"].encode())
        if number == 0:
            assert header == first.header
        else:
            entries = tuple(Entry.parse(leaf.encode()) for leaf in each["transactions"])
            assert [entry.id for entry in entries] == each["ids"]
            state = apply(state, Block(header, entries))
        assert header.hash().hex() == each["hash"]
        assert commitment(state, number) == each["state"]
        assert state_root(each["state"]).hex() == each["state_root"]
        signed = open_checkpoint(each["checkpoint"].encode(), policy).checkpoint
        assert (signed.size, signed.root.hex()) == (each["size"], each["root"])
        assert (state.log.size, state.log.root().hex()) == (each["size"], each["root"])
