"""Receipts: a signed promise that a session's begin record will stand in the log, and whether it was kept.

The format and the answers are in docs/specs/trust.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from lucid_proof import fields, records
from lucid_proof.canonical import JSON, decode, encode
from lucid_proof.checkpoint import open_checkpoint
from lucid_proof.errors import (
    BadProof,
    BadSignature,
    LogUnreadable,
    MalformedNote,
    MalformedReceipt,
    MalformedRecord,
    NotCanonical,
    NotTrusted,
    ProofError,
)
from lucid_proof.logsource import open_log
from lucid_proof.note import ED25519, VerifierKey
from lucid_proof.records import Header, Leaf, Transaction
from lucid_proof.tiles import TileReader
from lucid_proof.trust import TrustPolicy

FORMAT: Final = "lucid-receipt/1"
MAX_RECEIPT: Final = 64 * 1024
_MAX_BLOCK_LEAVES: Final = 65_536


class Answer(Enum):
    """Whether a log kept its promise; `exit_code` is that of `lucid-verify receipt`."""

    KEPT = ("kept", 0, "the session's begin record stands in the log, in time.")
    BROKEN = ("broken", 1, "the log did not do what this receipt promised.")
    NOT_YET_DUE = ("not yet due", 2, "the record is not in the log, and its time is not over.")
    NOT_THAT_LOG = ("not that log", 3, "this is not the log that was promised, or not one that you trust.")
    UNUSABLE = ("unusable", 64, "this cannot be judged.")

    def __init__(self, word: str, exit_code: int, meaning: str) -> None:
        self.word = word
        self.exit_code = exit_code
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """The result of checking a receipt.

    Attributes
    ----------
    detail : str
        Why, in words.
    due_ms : int or None
        Until when the record had to be anchored, ms since 1970.
    anchored_ms, height, index : int or None
        Time and height of the block that anchors the record, and the record's index in the log.
    """

    answer: Answer
    detail: str
    session: str = ""
    origin: str = ""
    due_ms: int | None = None
    anchored_ms: int | None = None
    height: int | None = None
    index: int | None = None

    def to_json(self) -> dict[str, JSON]:
        return {
            "anchored_ms": self.anchored_ms,
            "answer": self.answer.word,
            "detail": self.detail,
            "due_ms": self.due_ms,
            "exit_code": self.answer.exit_code,
            "height": self.height,
            "index": self.index,
            "origin": self.origin,
            "session": self.session,
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """A begin record that was promised to stand in the log of `log` within its `anchor_within_ms`."""

    record: Transaction
    log: VerifierKey

    def __post_init__(self) -> None:
        if self.record.kind != records.BEGIN:
            raise MalformedReceipt(f"it promises a {self.record.kind}, not a begin record", "record")
        if self.log.type != ED25519:
            raise MalformedReceipt("the log's key has signature type 0x01 (Ed25519)", "log")

    @property
    def due_ms(self) -> int:
        within = self.record.body["anchor_within_ms"]
        return self.record.time_ms + fields.integer(within, "anchor_within_ms")

    def bytes(self) -> Leaf:
        return encode({"format": FORMAT, "log": str(self.log), "record": self.record.to_json()})

    @classmethod
    def parse(cls, data: Leaf) -> Receipt:
        """Read a receipt and check the signature of its promise.

        Raises
        ------
        MalformedReceipt
            If it is none, or nobody signed it.
        """
        if len(data) > MAX_RECEIPT:
            raise MalformedReceipt(f"larger than {MAX_RECEIPT} bytes")
        try:
            document = fields.members(decode(data.rstrip(b"\n")), ("format", "log", "record"), "receipt")
            fields.one_of(document["format"], (FORMAT,), "format")
            log = VerifierKey.parse(fields.text(document["log"], "log", 512))
            receipt = cls(Transaction.from_json(document["record"]), log)
            receipt.record.verify()
        except MalformedReceipt:
            raise
        except ProofError as error:
            raise MalformedReceipt(error.what, error.where) from error
        return receipt


def verify(
    receipt: Receipt, fetch: Callable[[str], bytes], trust: TrustPolicy | None = None
) -> ReceiptReport:
    """Look whether a log kept the promise.

    Parameters
    ----------
    fetch : Callable[[str], bytes]
        Reads the log (c2sp.org/tlog-tiles) by paths below its prefix; see `logsource.open_log`.
    trust : TrustPolicy, optional
        Without one, the log's key in the receipt alone must have signed the checkpoint.

    Raises
    ------
    LogUnreadable
        If the log cannot be read or is not in its form.
    """
    report = _Reporter(receipt)
    policy = trust or TrustPolicy(receipt.record.chain, receipt.log)
    if policy.log != receipt.log or policy.origin != receipt.record.chain:
        said = f"the receipt is of the log {receipt.log}, your policy of {policy.log}"
        return report(Answer.NOT_THAT_LOG, said)
    if policy.recorders is not None and receipt.record.key not in policy.recorders:
        said = f"the trust policy does not list the recorder key {receipt.record.key.hex()}"
        return report(Answer.NOT_THAT_LOG, said)
    try:
        opened = open_checkpoint(_fetch_checkpoint(fetch), policy)
    except (NotTrusted, BadSignature) as error:
        return report(Answer.NOT_THAT_LOG, str(error))
    except MalformedNote as error:
        raise LogUnreadable(str(error), "checkpoint") from error
    try:
        log = _Log(TileReader(fetch, opened.checkpoint.size, opened.checkpoint.root))
        return _look(receipt, log, report)
    except BadProof as error:
        raise LogUnreadable(str(error), "tile") from error


def check(path: Path, source: str, trust: TrustPolicy | None = None) -> ReceiptReport:
    """Read a receipt from a file and the log from a directory or URL; never raises for what is in either."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECEIPT + 1) if path.is_file() else b""
        receipt = Receipt.parse(data)
    except OSError as error:
        return ReceiptReport(Answer.UNUSABLE, f"{path}: cannot be read: {error.strerror or error}")
    except MalformedReceipt as error:
        return ReceiptReport(Answer.UNUSABLE, f"{path}: {error}")
    try:
        return verify(receipt, open_log(source), trust)
    except LogUnreadable as error:
        return _Reporter(receipt)(Answer.UNUSABLE, f"the log cannot be read: {error}")


class _Reporter:
    """Makes reports that say which receipt they are about."""

    def __init__(self, receipt: Receipt) -> None:
        self._receipt = receipt

    def __call__(
        self, answer: Answer, detail: str, header: Header | None = None, index: int | None = None
    ) -> ReceiptReport:
        return ReceiptReport(
            answer=answer,
            detail=detail,
            session=self._receipt.record.session,
            origin=self._receipt.record.chain,
            due_ms=self._receipt.due_ms,
            anchored_ms=header.time_ms if header else None,
            height=header.height if header else None,
            index=index,
        )


class _Log:
    """A log as a row of blocks; what is read of it is proved under its checkpoint."""

    def __init__(self, tiles: TileReader) -> None:
        self.tiles = tiles

    def header_from(self, index: int) -> Header:
        """The first block header at or behind `index`."""
        for at in range(index, min(index + _MAX_BLOCK_LEAVES, self.tiles.size)):
            try:
                header = Header.parse(self.tiles.entry(at))
            except (NotCanonical, MalformedRecord):
                continue  # a transaction
            if header.log_size != at:
                said = f"the header of block {header.height} does not stand where it says"
                raise LogUnreadable(said, f"leaf {at}")
            return header
        raise LogUnreadable("a log ends with a block's header, and no block is this long", f"leaf {index}")

    def first_block(self, wanted: Callable[[Header], bool]) -> Header | None:
        """The first block of which `wanted` holds; it must hold of all that follow."""
        low, high, found = 0, self.tiles.size, None
        while low < high:
            middle = (low + high) // 2
            header = self.header_from(middle)
            if wanted(header):
                found, high = header, middle
            else:
                low = header.log_size + 1
        return found


def _look(receipt: Receipt, log: _Log, report: _Reporter) -> ReceiptReport:
    """Between the block that the record names and the first that would be too late."""
    seen, due_ms = receipt.record.seen, receipt.due_ms
    newest = log.header_from(log.tiles.size - 1) if log.tiles.size else None
    known = log.first_block(lambda header: header.height >= seen.height)
    if newest is None or known is None:
        return _absent(report, newest, due_ms)
    if known.height != seen.height or known.hash() != seen.hash:
        said = (
            f"the log does not hold the block {seen.height} that the record names: it was forked or replaced"
        )
        return report(Answer.BROKEN, said)
    late = log.first_block(lambda header: header.time_ms > due_ms)
    wanted = receipt.record.leaf_hash()
    end = late.log_size if late else log.tiles.size
    for index, leaf_hash in log.tiles.leaf_hashes(known.log_size + 1, end):
        if leaf_hash == wanted:
            log.tiles.leaf_hash(index)  # proves that it stands there
            header = log.header_from(index)
            if header.time_ms > due_ms:
                said = f"the record was anchored {header.time_ms - due_ms} ms too late"
                return report(Answer.BROKEN, said, header, index)
            said = f"it was anchored {due_ms - header.time_ms} ms before it was due"
            return report(Answer.KEPT, said, header, index)
    return _absent(report, newest, due_ms)


def _absent(report: _Reporter, newest: Header | None, due_ms: int) -> ReceiptReport:
    if newest is not None and newest.time_ms > due_ms:
        late = newest.time_ms - due_ms
        said = f"the record is not in the log, whose block {newest.height} came {late} ms after it was due"
        return report(Answer.BROKEN, said)
    block = "it has no block" if newest is None else f"its newest block is {newest.height}"
    return report(
        Answer.NOT_YET_DUE, f"this copy of the log does not reach the time when it is due ({block})"
    )


def _fetch_checkpoint(fetch: Callable[[str], bytes]) -> bytes:
    try:
        return fetch("checkpoint")
    except FileNotFoundError as error:
        raise LogUnreadable("there is no checkpoint here", str(error)) from error
