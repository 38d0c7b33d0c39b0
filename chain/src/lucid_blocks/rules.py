"""What each transaction may do: one function for a kind, its checks in the order of docs/specs/chain.md.

Every function checks first and changes the draft last: a refused transaction leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lucid_blocks import refusals as no
from lucid_blocks.models import Entry, Session
from lucid_blocks.signatures import is_signed
from lucid_proof.records import Seen, Transaction

if TYPE_CHECKING:
    from lucid_blocks.state import State


class Draft:
    """A state while transactions are done to it; the state it began from is not touched.

    Parameters
    ----------
    base : State
        The state after the newest block. What the draft does not know of itself it asks there.
    """

    def __init__(self, base: State) -> None:
        self.base = base
        self.changed: dict[str, Session] = {}
        self.closed: list[str] = []
        self.recorders = dict(base.recorders)
        self.nonces = dict(base.nonces)
        self._gone: set[str] = set()

    def open_session(self, session: str) -> Session | None:
        """The session as it stands, or None if it is not open."""
        if session in self._gone:
            return None
        return self.changed.get(session) or self.base.open.get(session)

    def was_closed(self, session: str) -> bool:
        """Whether this session's life is over."""
        return session in self._gone or self.base.was_closed(session)

    def close(self, session: str) -> None:
        """End a session; its id is never used again."""
        self.changed.pop(session, None)
        self._gone.add(session)
        self.closed.append(session)

    def open(self) -> dict[str, Session]:
        """All open sessions."""
        merged = {**self.base.open, **self.changed}
        for session in self.closed:
            merged.pop(session, None)
        return merged

    def knows(self, tx: Transaction) -> bool:
        """Whether the key could sign this kind of record at all: the cheap question before the
        signature's."""
        if tx.kind in ("recorder.admit", "recorder.revoke"):
            return tx.key.hex() in self.base.validators
        session = self.open_session(tx.session)
        return tx.key.hex() in self.recorders or (session is not None and session.key == tx.key.hex())


def transact(draft: Draft, entry: Entry) -> None:
    """Do one transaction.

    Raises
    ------
    TransactionRefused
        The subclass names the rule; then `draft` is unchanged.
    """
    tx = entry.tx
    if tx.chain != draft.base.chain:
        raise no.ForeignTransaction(
            f"It is signed for {tx.chain}, and this is {draft.base.chain}.", tx=entry.id
        )
    if not is_signed(entry):
        raise no.BadSignature(f"The signature is not that of key {tx.key.hex()}.", tx=entry.id)
    try:
        _KINDS[tx.kind](draft, tx, tx.body)
    except no.TransactionRefused as refusal:
        refusal.facts.setdefault("tx", entry.id)
        raise


def begin(draft: Draft, tx: Transaction, body: Mapping[str, Any]) -> None:
    """`session.begin`: an admitted recorder starts a session that never was."""
    session: str = body["session"]
    if tx.key.hex() not in draft.recorders:
        raise no.RecorderNotAdmitted(f"Key {tx.key.hex()} is not an admitted recorder.", key=tx.key.hex())
    if draft.open_session(session) is not None or draft.was_closed(session):
        raise no.SessionUsed(f"Session {session} has begun already.", session=session)
    seen = _seen(draft, body, None)
    draft.changed[session] = Session(
        key=tx.key.hex(),
        key_commitment=body["key_commitment"],
        format=body["format"],
        on_failure=body["on_failure"],
        anchor_within_ms=body["anchor_within_ms"],
        time=body["time"],
        seen=seen,
    )


def interim(draft: Draft, tx: Transaction, body: Mapping[str, Any]) -> None:
    """`session.interim`: the session so far, or that it paused or went on."""
    session, before, seen = _next_record(draft, tx, body)
    event: str = body["event"]
    if event == "pause" and before.paused:
        raise no.NotRecording(f"Session {session} is paused already.", session=session)
    if event == "resume" and not before.paused:
        raise no.NotPaused(f"Session {session} is recording.", session=session)
    paused = {"pause": True, "resume": False}.get(event, before.paused)
    draft.changed[session] = replace(
        before,
        time=body["time"],
        seen=seen,
        seq=body["seq"],
        chunks=body["chunks"],
        root=body["root"],
        paused=paused,
    )


def close(draft: Draft, tx: Transaction, body: Mapping[str, Any]) -> None:
    """`session.close`: the last word on a session, paused or not."""
    session, _, _ = _next_record(draft, tx, body)
    draft.close(session)


def admit(draft: Draft, tx: Transaction, body: Mapping[str, Any]) -> None:
    """`recorder.admit`: a validator lets a recorder begin sessions."""
    recorder: str = body["recorder"]
    _next_nonce(draft, tx, body)
    if recorder in draft.recorders:
        raise no.RecorderKnown(f"Recorder {recorder} is admitted already.", recorder=recorder)
    draft.nonces[tx.key.hex()] = body["nonce"] + 1
    draft.recorders[recorder] = body["name"]


def revoke(draft: Draft, tx: Transaction, body: Mapping[str, Any]) -> None:
    """`recorder.revoke`: no new sessions; what the recorder began it may go on with and close."""
    recorder: str = body["recorder"]
    _next_nonce(draft, tx, body)
    if recorder not in draft.recorders:
        raise no.RecorderUnknown(f"Recorder {recorder} is not admitted.", recorder=recorder)
    draft.nonces[tx.key.hex()] = body["nonce"] + 1
    del draft.recorders[recorder]


def _next_record(draft: Draft, tx: Transaction, body: Mapping[str, Any]) -> tuple[str, Session, Seen]:
    """What `interim` and `close` share: the next record of an open session by the key that began it."""
    session: str = body["session"]
    before = draft.open_session(session)
    if before is None:
        state = "closed" if draft.was_closed(session) else "unknown"
        raise no.SessionUnknown(f"Session {session} is {state}.", session=session, state=state)
    if tx.key.hex() != before.key:
        raise no.NotTheSessionsKey(f"Session {session} was begun by key {before.key}.", session=session)
    if body["seq"] != before.seq + 1:
        raise no.WrongSequence(
            f"The next record of session {session} has seq {before.seq + 1}, not {body['seq']}.",
            session=session,
            expected=before.seq + 1,
            seq=body["seq"],
        )
    if body["time"] < before.time:
        raise no.TimeWentBack(
            f"Time {body['time']} is before {before.time}, the time of the session's record {before.seq}.",
            session=session,
        )
    seen = _seen(draft, body, before.seen)
    if body["chunks"] < before.chunks:
        raise no.ChunksWentBack(
            f"Session {session} had {before.chunks} chunks and now says {body['chunks']}.", session=session
        )
    if body["chunks"] == before.chunks and body["root"] != before.root:
        raise no.RootChanged(
            f"{before.chunks} chunks of session {session} had root {before.root}.", session=session
        )
    if before.paused and body["chunks"] != before.chunks:
        raise no.ChunksWhilePaused(
            f"Session {session} was paused with {before.chunks} chunks and now says {body['chunks']}.",
            session=session,
        )
    return session, before, seen


def _seen(draft: Draft, body: Mapping[str, Any], before: Seen | None) -> Seen:
    """The block a record names, if it is one of this chain and no older than the one named before."""
    seen = Seen.from_json(body["seen"])
    if draft.base.block_hash(seen.height) != seen.hash:
        raise no.SeenUnknown(
            f"Block {seen.height} of this chain has another hash, or is yet to come.", seen=body["seen"]
        )
    if before is not None and seen.height < before.height:
        raise no.SeenWentBack(
            f"The record has seen block {seen.height}; the one before had seen {before.height}.",
            seen=body["seen"],
        )
    return seen


def _next_nonce(draft: Draft, tx: Transaction, body: Mapping[str, Any]) -> None:
    key = tx.key.hex()
    if key not in draft.base.validators:
        raise no.NotAValidator(f"Key {key} is not a validator's.", key=key)
    expected = draft.nonces.get(key, 0)
    if body["nonce"] != expected:
        raise no.WrongNonce(
            f"The next nonce of key {key} is {expected}, not {body['nonce']}.", key=key, expected=expected
        )


_KINDS: Mapping[str, Callable[[Draft, Transaction, Mapping[str, Any]], None]] = {
    "session.begin": begin,
    "session.interim": interim,
    "session.close": close,
    "recorder.admit": admit,
    "recorder.revoke": revoke,
}
