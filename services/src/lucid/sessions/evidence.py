"""The records of one session: signed once, journalled, and only then handed to the chain.

`records.jsonl` in the session's spool is the one truth about what was signed. A record is appended and synced
before anyone else sees it, so no two different records of one seq ever leave this machine: what a crash
interrupted is either in the file, and used as it is, or was never seen by anyone.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid.sessions.errors import RecordsDamaged
from lucid.sessions.models import OnFailure, Outcome, Record
from lucid_kit import fault
from lucid_kit.files import append_durable, fsync_dir
from lucid_proof.canonical import JSON
from lucid_proof.domains import RECORDING_FORMAT
from lucid_proof.errors import ProofError
from lucid_proof.merkle import CompactRange
from lucid_proof.records import BEGIN, CLOSE, INTERIM, ChunkRecord, Seen, Transaction, build_transaction

Interim = Literal["tick", "pause", "resume"]


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and for which log."""

    chain: str
    key: Ed25519PrivateKey

    def sign(self, kind: str, body: dict[str, JSON]) -> Transaction:
        return build_transaction(kind, body, self.chain, self.key)


class RecordLog:
    """The file of a session's records. One writer: this service."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Transaction]:
        """Every record, in order of seq. A torn last line is cut off: it was never synced, so nobody has it.

        Raises
        ------
        RecordsDamaged
            If anything but the last line cannot be read.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self._path, whole)
        try:
            return [Transaction.parse(line) for line in data[:whole].splitlines()]
        except ProofError as error:
            raise RecordsDamaged(f"{self._path.name} of {self._path.parent.name}: {error}") from error

    def append(self, record: Transaction) -> None:
        """Durable once it returns. Raises OSError if the disk refuses; then nothing was added."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(self._path, flags, 0o600)
        try:
            append_durable(fd, record.bytes() + b"\n")
        finally:
            os.close(fd)
        fsync_dir(self._path.parent)


class Evidence:
    """What one session has recorded and signed so far, and its next record.

    The methods write to disk: call them off the event loop. They are called one at a time.

    Parameters
    ----------
    chunks
        The chunk records of the journal, when a session is taken up again.
    """

    def __init__(
        self, session: str, log: RecordLog, signer: Signer, chunks: Iterable[ChunkRecord] = ()
    ) -> None:
        self._session = session
        self._log = log
        self._signer = signer
        self._tree = CompactRange()
        self._time_ms = 0
        self._seen: Seen | None = None
        self.records = log.read()
        for record in self.records:
            self._follow(record)
        for chunk in chunks:
            self.add(chunk)

    @property
    def chunks(self) -> int:
        return self._tree.size

    @property
    def close_record(self) -> Transaction | None:
        return self.records[-1] if self.records and self.records[-1].kind == CLOSE else None

    def add(self, chunk: ChunkRecord) -> None:
        """Take in the next chunk record of the journal."""
        if chunk.index != self._tree.size:
            raise RecordsDamaged(
                f"The journal of {self._session} has chunk {chunk.index} where {self._tree.size} was due"
            )
        self._tree.append(chunk.leaf_hash())
        self._time_ms = max(self._time_ms, chunk.to_ms)
        self._see(chunk.seen)

    def begin(
        self, *, commitment: str, on_failure: OnFailure, within_ms: int, seen: Seen, time_ms: int
    ) -> Transaction:
        """Sign and journal the begin record."""
        return self._append(
            BEGIN,
            {
                "anchor_within_ms": within_ms,
                "format": RECORDING_FORMAT,
                "key_commitment": commitment,
                "on_failure": on_failure,
            },
            seen,
            time_ms,
        )

    def interim(self, event: Interim, *, seen: Seen, time_ms: int) -> Transaction:
        """Sign and journal an interim record over the chunks so far."""
        return self._append(INTERIM, {**self._so_far(), "event": event}, seen, time_ms)

    def close(self, outcome: Outcome, reason: str, *, seen: Seen, time_ms: int) -> Transaction:
        """Sign and journal the close record; if there is one already, give that one."""
        if self.close_record is not None:
            return self.close_record
        return self._append(CLOSE, {**self._so_far(), "outcome": outcome, "reason": reason}, seen, time_ms)

    def _append(self, kind: str, body: dict[str, JSON], seen: Seen, time_ms: int) -> Transaction:
        self._see(seen)
        assert self._seen is not None
        self._time_ms = max(self._time_ms, time_ms)
        place: dict[str, JSON] = {
            "seen": self._seen.to_json(),
            "seq": len(self.records),
            "session": self._session,
            "time": self._time_ms,
        }
        record = self._signer.sign(kind, {**body, **place})
        # Ends here: nobody saw the record; the next start signs its own.
        fault.point("record-signed")
        self._log.append(record)
        self.records.append(record)
        # Ends here: the record stands; start-up hands it to the chain.
        fault.point("record-journalled")
        return record

    def _so_far(self) -> dict[str, JSON]:
        return {"chunks": self._tree.size, "root": self._tree.root().hex()}

    def _follow(self, record: Transaction) -> None:
        self._time_ms = max(self._time_ms, record.time_ms)
        self._see(record.seen)

    def _see(self, seen: Seen) -> None:
        """`seen` never goes back: a record names no older block than what came before it."""
        if self._seen is None or seen.height > self._seen.height:
            self._seen = seen


def as_record(transaction: Transaction) -> Record:
    """What is persisted of a record's way to the chain."""
    body = transaction.body
    return Record(
        session=transaction.session,
        seq=transaction.seq,
        kind=transaction.kind,
        event=str(body.get("event") or body.get("outcome") or "begin"),
        tx=transaction.id(),
        chunks=int(str(body.get("chunks", 0))),
        time_ms=transaction.time_ms,
        seen_height=transaction.seen.height,
        bytes_hex=transaction.bytes().hex(),
    )
