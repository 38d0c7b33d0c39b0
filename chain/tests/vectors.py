"""The frozen chain of docs/specs/vectors/chain.json: `python -m chain.tests.vectors` prints it.

Keys are 32 bytes of 01 (log), 02 (validator), 03 and 04 (recorders), 05 (a recorder that is admitted).
"""

from __future__ import annotations

import json
from typing import Any

from lucid_blocks.engine import Finalized
from lucid_blocks.models import Block
from lucid_blocks.solo import seal
from lucid_blocks.state import State, commitment

from .builders import (
    COSIGNER,
    LOG_SIGNER,
    OTHER,
    START_MS,
    STRANGER,
    MemoryChain,
    public,
    session_id,
)


def the_chain() -> list[tuple[Block, State]]:
    """Genesis and three blocks: admission, two sessions, a pause, a close, an abandoned one."""
    chain = MemoryChain()
    made = [(chain.blocks[0], chain.state)]

    def add(*entries: Any) -> None:
        made.append((chain.add(*entries), chain.state))

    one, two, write = session_id(1), session_id(2), chain.write
    add(write.begin(one), write.admit(public(STRANGER), 0))
    write = chain.write
    add(
        write.interim(one, 1, 3, time=START_MS + 12_000, event="pause"),
        write.begin(two, STRANGER, on_failure="mark", time=START_MS + 13_000),
        write.revoke(public(STRANGER), 1),
        write.begin(session_id(3), OTHER, time=START_MS + 14_000),
    )
    write = chain.write
    add(
        write.close(one, 2, 3, time=START_MS + 21_000),
        write.close(two, 1, 0, STRANGER, time=START_MS + 22_000, outcome="abandoned", reason="recorder-lost"),
    )
    return made


def document() -> dict[str, Any]:
    """The vectors as JSON."""
    made = the_chain()
    blocks = []
    for block, state in made:
        checkpoint = seal(Finalized(block, state, state), LOG_SIGNER, COSIGNER)
        blocks.append(
            {
                "header": block.header.bytes().decode(),
                "hash": block.header.hash().hex(),
                "transactions": [entry.data.decode() for entry in block.entries],
                "ids": [entry.id for entry in block.entries],
                "state": commitment(state, state.height),
                "state_root": block.header.state_root.hex(),
                "size": state.log.size,
                "root": state.log.root().hex(),
                "checkpoint": checkpoint.decode(),
            }
        )
    genesis = MemoryChain().genesis
    return {
        "source": "docs/specs/chain.md; seeds are 32 equal bytes: log 01, validator 02, recorders 03 04 05",
        "genesis": genesis.encode().decode(),
        "genesis_hash": genesis.hash().hex(),
        "trust": genesis.trust().to_json(),
        "blocks": blocks,
    }


if __name__ == "__main__":
    print(json.dumps(document(), indent=1, ensure_ascii=False))
