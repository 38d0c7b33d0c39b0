"""A session's records in the log, from begin on: each signed, anchored, and following from the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lucid_proof import records
from lucid_proof.blocks import Blocks, Moment
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.domains import EMPTY_ROOT, leaf_hash
from lucid_proof.errors import AlteredBundle
from lucid_proof.records import Transaction
from lucid_proof.tlogproof import TlogProof

_ACTS: Final = {"tick": "an interim", "pause": "a pause", "resume": "a resume"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the verdict needs of one session record.

    Attributes
    ----------
    chunks, root
        The session tree that it commits to.
    seen, anchor : Moment
        The block that its signer knew, and the one that anchors it.
    """

    kind: str
    chunks: int
    root: bytes
    time_ms: int
    index: int
    seen: Moment
    anchor: Moment


class History:
    """Takes session records one after the other and refuses the first that does not fit.

    Parameters
    ----------
    checkpoint : bytes
        The bundle's signed note, which each proof must repeat; `head` is what it says.
    blocks : Blocks
        Proved blocks of the bundle.
    skew_ms : int
        By how much claimed times may lie outside of what the blocks prove.
    """

    def __init__(self, checkpoint: bytes, head: Checkpoint, blocks: Blocks, skew_ms: int) -> None:
        self._checkpoint = checkpoint
        self._head = head
        self._blocks = blocks
        self._skew_ms = skew_ms
        self._paused_since: int | None = None
        self.entries: list[Entry] = []
        self.begin: Transaction | None = None
        self.last: Transaction | None = None
        self.pauses: dict[int, tuple[int, int | None]] = {}
        """Count of chunks at which it paused → claimed times of the first pause and the last resume there."""

    def add(self, leaf: bytes, proof: bytes) -> None:
        """Check the next record against its proof, its signature, and the record before.

        Raises
        ------
        ProofError
            Saying what does not fit.
        """
        record = Transaction.parse(leaf)
        if record.kind not in (records.BEGIN, records.INTERIM, records.CLOSE):
            raise AlteredBundle(f"a {record.kind}, which is no session record", "kind")
        if record.chain != self._head.origin:
            raise AlteredBundle(f"it is of the chain {record.chain!r}, not of {self._head.origin!r}", "chain")
        self._check_place(record)
        record.verify()
        index = self._check_proof(leaf, proof)
        entry = self._entry(record, index)
        if self.entries:
            self._check_progress(record, entry, self.entries[-1])
        self._check_times(entry)
        self.entries.append(entry)
        self.begin = self.begin or record
        self.last = record

    @property
    def closed(self) -> bool:
        return self.last is not None and self.last.kind == records.CLOSE

    def _check_place(self, record: Transaction) -> None:
        """Begin first, the rest in order, of one session and by one key, nothing after close."""
        if (record.kind == records.BEGIN) != (not self.entries):
            raise AlteredBundle("a session has one begin record, and it is the first", "kind")
        if record.seq != len(self.entries):
            raise AlteredBundle(f"its seq is {record.seq}; a record is missing or in another's place", "seq")
        if self.begin is None:
            return
        if record.session != self.begin.session:
            raise AlteredBundle(
                f"it is of the session {record.session}, not of {self.begin.session}", "session"
            )
        if record.key != self.begin.key:
            raise AlteredBundle("it is signed by another key than the begin record", "key")
        if self.closed:
            raise AlteredBundle("a record after the close record", "seq")

    def _check_proof(self, leaf: bytes, data: bytes) -> int:
        proof = TlogProof.parse(data)
        if proof.extra or proof.checkpoint != self._checkpoint:
            raise AlteredBundle(
                "its proof holds another checkpoint than the bundle, or extra data", "tlog-proof"
            )
        proof.verify(leaf_hash(leaf), self._head)
        return proof.index

    def _entry(self, record: Transaction, index: int) -> Entry:
        begin = record.kind == records.BEGIN
        return Entry(
            kind=record.kind,
            chunks=0 if begin else int(record.body["chunks"]),  # type: ignore[arg-type]
            root=EMPTY_ROOT if begin else bytes.fromhex(str(record.body["root"])),
            time_ms=record.time_ms,
            index=index,
            seen=self._blocks.seen(record.seen),
            anchor=self._blocks.anchor(index),
        )

    def _check_progress(self, record: Transaction, entry: Entry, before: Entry) -> None:
        """The rules of docs/specs/records.md between a session's successive records."""
        if entry.index <= before.index:
            raise AlteredBundle("it stands in the log before the record that it follows", "tlog-proof")
        if entry.time_ms < before.time_ms:
            raise AlteredBundle("its time is before that of the record that it follows", "time")
        if entry.seen.height < before.seen.height:
            raise AlteredBundle("it names an older block than the record that it follows", "seen")
        if entry.chunks < before.chunks:
            raise AlteredBundle(f"it counts {entry.chunks} chunks after {before.chunks}", "chunks")
        if entry.chunks == before.chunks and entry.root != before.root:
            raise AlteredBundle("another root for the same chunks", "root")
        if self._paused_since is not None and entry.chunks != before.chunks:
            raise AlteredBundle("chunks were added during a pause", "chunks")
        self._follow_pause(record, entry)

    def _follow_pause(self, record: Transaction, entry: Entry) -> None:
        event = record.body.get("event")
        if event == "pause" or event == "resume":
            if (event == "resume") != (self._paused_since is not None):
                raise AlteredBundle(f"{_ACTS[event]} without what it answers to", "event")
            since, until = self.pauses.get(entry.chunks, (entry.time_ms, None))
            if event == "resume":
                until = entry.time_ms
            self.pauses[entry.chunks] = (since, until)
            self._paused_since = entry.time_ms if event == "pause" else None

    def _check_times(self, entry: Entry) -> None:
        # That `seen` came before the record needs no check: else its root would commit to its own hash.
        if explained := outside(entry.time_ms, entry.seen, entry.anchor, self._skew_ms):
            raise AlteredBundle(explained, "time")


def outside(time_ms: int, not_before: Moment, not_after: Moment, skew_ms: int) -> str:
    """Why a claimed time cannot be, given the blocks around it; empty if it can."""
    if time_ms < not_before.time_ms - skew_ms:
        early = not_before.time_ms - time_ms
        return f"it claims a time {early} ms before {not_before}, which it names as known (backdated)"
    if time_ms > not_after.time_ms + skew_ms:
        return f"it claims a time {time_ms - not_after.time_ms} ms after {not_after}, which anchors it"
    return ""
