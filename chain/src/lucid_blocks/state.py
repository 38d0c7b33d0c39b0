"""The rules of the chain: `apply(state, block)` is the next state, or the name of the rule that was broken.

This module, with `rules` for the transactions, is the specification that docs/specs/chain.md puts into
words. It reads no clock, no disk and no network. What happened too long ago to be held in memory (every
closed session, every block's hash) is looked up in a `History`, which a state asks only about its own past.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from lucid_blocks import refusals as no
from lucid_blocks.models import Block, Entry, Frontier, Params, Session
from lucid_blocks.rules import Draft, transact
from lucid_proof import domains
from lucid_proof.canonical import JSON
from lucid_proof.records import Header


class History(Protocol):
    """What a chain remembers for ever. It only grows: an answer that is not None never changes."""

    def closed_at(self, session: str) -> int | None:
        """The height of the block that closed the session, or None."""
        ...

    def block_hash(self, height: int) -> bytes | None:
        """The hash of the block at that height, 32 bytes, or None."""
        ...


class MemoryHistory:
    """A history in memory, for re-execution and for tests."""

    def __init__(self) -> None:
        self.closed: dict[str, int] = {}
        self.hashes: dict[int, bytes] = {}

    def closed_at(self, session: str) -> int | None:
        """As `History` says."""
        return self.closed.get(session)

    def block_hash(self, height: int) -> bytes | None:
        """As `History` says."""
        return self.hashes.get(height)

    def learn(self, state: State) -> State:
        """Remember what a state brought, and give the state that no longer carries it itself."""
        self.closed.update(state.recent_closed)
        self.hashes.update(state.recent_blocks)
        return state.settled()


@dataclass(frozen=True, slots=True)
class State:
    """The chain after a block. Immutable; a next state shares with it whatever did not change.

    `recent_closed` and `recent_blocks` hold what `history` may not have yet; `settled` lets go of them.
    """

    chain: str  # the log's origin
    params: Params
    validators: tuple[str, ...]  # keys, hex
    history: History = field(compare=False, repr=False)
    tip: Header
    log: Frontier  # the global log, the tip's header included
    closed: Frontier  # the ids of closed sessions, in the order of closing
    open: Mapping[str, Session]
    recorders: Mapping[str, str]  # key, hex → name
    nonces: Mapping[str, int]  # key, hex → its next nonce; absent: 0
    recent_closed: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    recent_blocks: Mapping[int, bytes] = field(default_factory=dict, compare=False, repr=False)

    @property
    def height(self) -> int:
        """The height of the newest block."""
        return self.tip.height

    def was_closed(self, session: str) -> bool:
        """Whether the session was closed in this block or an earlier one."""
        if session in self.recent_closed:
            return True
        height = self.history.closed_at(session)
        return height is not None and height <= self.height

    def block_hash(self, height: int) -> bytes | None:
        """The hash of a block up to the newest, 32 bytes; None for any other height."""
        if height > self.height:
            return None
        return self.recent_blocks.get(height) or self.history.block_hash(height)

    def settled(self) -> State:
        """The same state, once `history` holds everything up to its block; the tip's hash stays at hand."""
        return replace(self, recent_closed={}, recent_blocks={self.height: self.tip.hash()})


def commitment(state: State, height: int) -> JSON:
    """What the state root of the block at `height` commits to, as a JSON value (docs/specs/chain.md)."""
    return {
        "chain": state.chain,
        "closed": {"root": state.closed.root().hex(), "size": state.closed.size},
        "height": height,
        "nonces": dict(state.nonces),
        "open": {name: session.to_json() for name, session in state.open.items()},
        "recorders": dict(state.recorders),
        "validators": list(state.validators),
    }


def state_root(state: State) -> bytes:
    """The root that the header of the state's newest block must have, 32 bytes."""
    return domains.state_root(commitment(state, state.height))


def build(state: State, entries: Sequence[Entry], time_ms: int) -> tuple[Block, State]:
    """The block that follows `state` with these transactions at this time, and the state after it.

    Parameters
    ----------
    state : State
        After the newest block.
    entries : Sequence[Entry]
        In the order in which they are to stand in the log.
    time_ms : int
        Milliseconds since 1970, later than the newest block's.

    Raises
    ------
    TransactionRefused
        For the first transaction that breaks a rule.
    BlockRefused
        `TimeNotLater` or `BlockTooLarge`.
    """
    if time_ms <= state.tip.time_ms:
        raise no.TimeNotLater(
            f"Time {time_ms} is not after {state.tip.time_ms}, that of block {state.height}."
        )
    size = sum(len(entry.data) for entry in entries)
    if len(entries) > state.params.max_block_txs or size > state.params.max_block_bytes:
        raise no.BlockTooLarge(
            f"{len(entries)} transactions of {size} bytes; a block takes"
            f" {state.params.max_block_txs} and {state.params.max_block_bytes}."
        )

    draft = Draft(state)
    for entry in entries:
        transact(draft, entry)

    log = state.log.extended(entry.hash for entry in entries)
    height = state.height + 1
    after = replace(
        state,
        log=log,
        closed=state.closed.extended(domains.leaf_hash(name.encode()) for name in draft.closed),
        open=draft.open(),
        recorders=draft.recorders,
        nonces=draft.nonces,
        recent_closed={**state.recent_closed, **dict.fromkeys(draft.closed, height)},
    )
    header = Header(
        chain=state.chain,
        height=height,
        log_root=log.root(),
        log_size=log.size,
        prev=state.tip.hash(),
        state_root=domains.state_root(commitment(after, height)),
        time_ms=time_ms,
        txs=len(entries),
    )
    return Block(header, tuple(entries)), _after_header(after, header)


def apply(state: State, block: Block) -> State:
    """The state after `block`: the state transition of the chain.

    The order of the checks is the order of the rules. A block is accepted whole or not at all.

    Parameters
    ----------
    state : State
        After the block before this one.
    block : Block
        A header and its transactions, as read from anywhere.

    Returns
    -------
    State
        After the block. `state` is not changed.

    Raises
    ------
    BlockRefused
        The subclass names the rule that the header breaks.
    TransactionRefused
        The subclass names the rule that a transaction breaks; its id is in `facts`.
    """
    header = block.header
    if header.chain != state.chain:
        raise no.ForeignBlock(f"The block is of {header.chain}, and this is {state.chain}.")
    if header.height != state.height + 1:
        raise no.WrongHeight(f"The next block has height {state.height + 1}, not {header.height}.")
    if header.prev != state.tip.hash():
        raise no.WrongParent(
            f"Block {state.height} has hash {state.tip.hash().hex()}, not {header.prev.hex()}."
        )
    if header.txs != len(block.entries):
        raise no.WrongCount(f"The header counts {header.txs} transactions; there are {len(block.entries)}.")

    expected, after = build(state, block.entries, header.time_ms)
    made = expected.header
    if (header.log_size, header.log_root) != (made.log_size, made.log_root):
        raise no.WrongLog(
            f"The header says {header.log_size} leaves with root {header.log_root.hex()};"
            f" they are {made.log_size} with root {made.log_root.hex()}."
        )
    if header.state_root != made.state_root:
        raise no.WrongState(
            f"The header says state root {header.state_root.hex()}; it is {made.state_root.hex()}."
        )
    return after


def _after_header(state: State, header: Header) -> State:
    """A block's own header is the last of its leaves, and its hash is what later records may have seen."""
    return replace(
        state,
        tip=header,
        log=state.log.extended([header.hash()]),
        recent_blocks={**state.recent_blocks, header.height: header.hash()},
    )
