"""Laws: the rules agree with a model of a few lines, and a chain executed again is the same chain."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lucid_blocks import refusals as no
from lucid_blocks.genesis import Genesis, first_block
from lucid_blocks.mempool import Bounds, Mempool, UnknownKey
from lucid_blocks.models import Block, Entry, Params, Session
from lucid_blocks.state import MemoryHistory, apply, state_root
from lucid_proof.records import Header, Seen

from .builders import (
    OTHER,
    RECORDER,
    START_MS,
    STRANGER,
    VALIDATOR,
    MemoryChain,
    a_genesis,
    a_root,
    public,
    session_id,
)

KEY_RULES = ("RecorderNotAdmitted", "NotAValidator", "NotTheSessionsKey", "SessionUnknown")
KEYS = {"recorder": RECORDER, "other": OTHER, "stranger": STRANGER, "validator": VALIDATOR}
keys = st.sampled_from(sorted(KEYS))
sessions = st.integers(1, 3).map(session_id)
small = st.integers(0, 3)
nearly = st.sampled_from([0, 0, 0, 0, 1, -1])  # mostly right, sometimes off by one


class ChainMachine(RuleBasedStateMachine):
    """Random transactions, good and bad, against a model that is written down independently of the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = MemoryChain()
        self.pool = Mempool(self.chain.state, Bounds())
        self.open: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()
        self.admitted = {public(RECORDER), public(OTHER)}
        self.nonce = 0

    def send(self, entry: Entry, expected: str | None) -> bool:
        found = None
        try:
            self.pool.add(entry, 0)
        except no.TransactionRefused as refusal:
            found = refusal.rule
        except UnknownKey:  # comes before the rules of whoever may not write at all
            found = expected if expected in KEY_RULES else "UnknownKey"
        assert found == expected
        return found is None

    @rule(session=sessions, key=keys)
    def begin(self, session: str, key: str) -> None:
        expected = None
        if public(KEYS[key]) not in self.admitted:
            expected = "RecorderNotAdmitted"
        elif session in self.open or session in self.gone:
            expected = "SessionUsed"
        if self.send(self.chain.write.begin(session, KEYS[key]), expected):
            height = self.chain.state.height
            self.open[session] = {
                "key": key, "seq": 0, "chunks": 0, "time": START_MS, "paused": False, "seen": height
            }  # fmt: skip

    @rule(
        session=sessions,
        event=st.sampled_from(["tick", "tick", "pause", "resume", "close"]),
        stranger=st.booleans(),
        seq=nearly,
        more=st.sampled_from([0, 0, 1, 2, -1]),
        root=st.sampled_from([0, 0, 0, 1]),
        time=st.sampled_from([0, 1, 5, -1]),
        back=st.sampled_from([0, 0, 0, 1]),
    )
    def go_on(
        self, session: str, event: str, stranger: bool, seq: int, more: int, root: int, time: int, back: int
    ) -> None:
        was = self.open.get(session)
        base = was or {"key": "recorder", "seq": 0, "chunks": 0, "time": START_MS, "paused": False, "seen": 0}
        key = ("other" if base["key"] == "recorder" else "recorder") if stranger and root else base["key"]
        chunks = max(0, base["chunks"] + more)
        seen = max(0, self.chain.state.height - back)
        changes = {
            "time": base["time"] + time,
            "root": a_root(chunks + 100 * root) if chunks else a_root(0),
            "seen": self.chain.write.seen(seen),
        }
        number = max(1, base["seq"] + 1 + seq)
        write = self.chain.write
        entry = (
            write.close(session, number, chunks, KEYS[key], **changes)
            if event == "close"
            else write.interim(session, number, chunks, KEYS[key], event=event, **changes)
        )
        expected = None
        if was is None:
            expected = "SessionUnknown"
        elif key != was["key"]:
            expected = "NotTheSessionsKey"
        elif number != was["seq"] + 1:
            expected = "WrongSequence"
        elif time < 0:
            expected = "TimeWentBack"
        elif seen < was["seen"]:
            expected = "SeenWentBack"
        elif chunks < was["chunks"]:
            expected = "ChunksWentBack"
        elif chunks == was["chunks"] and changes["root"] != was.get("root", a_root(0)):
            expected = "RootChanged"
        elif was["paused"] and chunks != was["chunks"]:
            expected = "ChunksWhilePaused"
        elif event == "pause" and was["paused"]:
            expected = "NotRecording"
        elif event == "resume" and not was["paused"]:
            expected = "NotPaused"
        if self.send(entry, expected):
            assert was is not None
            if event == "close":
                del self.open[session]
                self.gone.add(session)
            else:
                was.update(
                    seq=number, chunks=chunks, time=base["time"] + time, root=changes["root"], seen=seen
                )
                was["paused"] = {"pause": True, "resume": False}.get(event, was["paused"])

    @rule(
        who=keys, signer=st.sampled_from(["validator"] * 3 + ["recorder"]), off=nearly, revoke=st.booleans()
    )
    def admission(self, who: str, signer: str, off: int, revoke: bool) -> None:
        recorder, nonce = public(KEYS[who]), max(0, self.nonce + off)
        write = self.chain.write
        entry = (write.revoke if revoke else write.admit)(recorder, nonce, KEYS[signer])
        expected = None
        if signer != "validator":
            expected = "NotAValidator"
        elif nonce != self.nonce:
            expected = "WrongNonce"
        elif revoke != (recorder in self.admitted):
            expected = "RecorderUnknown" if revoke else "RecorderKnown"
        if self.send(entry, expected):
            self.nonce += 1
            (self.admitted.discard if revoke else self.admitted.add)(recorder)

    @rule(at_most=small)
    def block(self, at_most: int) -> None:
        taken = self.pool.take(at_most, 1 << 20)
        self.chain.add(*taken)
        assert self.pool.rebase(self.chain.state, taken) == [], "what was valid to wait is valid in a block"

    @rule()
    def settle(self) -> None:
        self.chain.settle()
        self.pool.rebase(self.chain.state)

    @invariant()
    def waiting_and_chain_make_the_model(self) -> None:
        taken = self.pool.take(10_000, 1 << 30)
        after = apply(self.chain.state, self.chain.next(*taken))
        assert {name: each.seq for name, each in after.open.items()} == {
            name: each["seq"] for name, each in self.open.items()
        }
        assert set(after.recorders) == self.admitted
        assert all(after.was_closed(name) for name in self.gone)
        assert after.closed.size == len(self.gone)

    def teardown(self) -> None:
        history = MemoryHistory()
        first, state = first_block(self.chain.genesis, history)
        assert first == self.chain.blocks[0]
        for block in self.chain.blocks[1:]:
            entries = tuple(Entry.parse(entry.data) for entry in block.entries)
            again = Block(Header.parse(block.header.bytes()), entries)
            state = history.learn(apply(state, again))
        assert state == self.chain.state
        assert state_root(state) == self.chain.state.tip.state_root


TestChainMachine = ChainMachine.TestCase
TestChainMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(
    chunks=st.integers(0, 1 << 20),
    paused=st.booleans(),
    seq=st.integers(0, 1 << 15),
    height=st.integers(0, 2**53 - 1),
    time=st.integers(0, 2**53 - 1),
)
def test_a_session_reads_what_it_wrote(chunks: int, paused: bool, seq: int, height: int, time: int) -> None:
    session = Session(
        key="11" * 32,
        key_commitment="22" * 32,
        format="lucid-recording/1",
        on_failure="mark",
        anchor_within_ms=1,
        time=time,
        seen=Seen(height, b"\x01" * 32),
        seq=seq,
        chunks=chunks,
        root=a_root(chunks),
        paused=paused,
    )
    assert Session.from_json(session.to_json()) == session


@given(
    st.integers(1, 2**53 - 1), st.integers(1, 2**53 - 1), st.integers(1, 2**53 - 1), st.integers(0, 2**53 - 1)
)
def test_a_genesis_reads_what_it_wrote(block_ms: int, size: int, txs: int, time_ms: int) -> None:
    genesis = replace(
        a_genesis(),
        time_ms=time_ms,
        params=Params(block_ms=block_ms, max_block_bytes=size, max_block_txs=txs),
    )
    assert Genesis.parse(genesis.encode()) == genesis


@pytest.mark.parametrize(
    "change",
    [
        (b'"v":1', b'"v":2'),
        (b'"block_ms":10000', b'"block_ms":0'),
        (b'"block_ms":10000', b'"block_ms":"x"'),
        (b'"time":', b'"tame":'),
        (b'"cosigner"', b'"signer"'),
        (b"{", b"{ "),
    ],
)
def test_a_genesis_that_is_none_is_refused(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Genesis.parse(a_genesis().encode().replace(*change, 1))
