"""The verdict: is this recording complete and unaltered, and anchored by someone whom the policy accepts?

The order of the steps is the order of trust: the container's form, the checkpoint and who signed it, the
blocks and session records that it proves, the chunks that those commit to, the manifest over all.
"""

from __future__ import annotations

from pathlib import Path

from lucid_proof import layout
from lucid_proof.blocks import Blocks, parse_block
from lucid_proof.checkpoint import Checkpoint, open_checkpoint
from lucid_proof.chunks import Chunks
from lucid_proof.errors import BadSignature, NotTrusted, ProofError, UnusableBundle
from lucid_proof.history import History
from lucid_proof.layout import FileEntry
from lucid_proof.note import Note
from lucid_proof.reader import BundleReader, Fingerprint
from lucid_proof.report import Finding, Findings, Report, Verdict
from lucid_proof.trust import DEFAULT_CLOCK_SKEW_MS, TrustPolicy
from lucid_proof.zipform import Member


def verify(path: str | Path, trust: TrustPolicy | None = None) -> Report:
    """Judge a proof bundle. Never raises for what is in the file; memory does not grow with it.

    Parameters
    ----------
    path : str or Path
        The bundle.
    trust : TrustPolicy, optional
        Who must have signed. Without one, the best possible verdict is NOT_ANCHORED.

    Returns
    -------
    Report
        Its verdict is the worst of its findings.
    """
    try:
        with BundleReader(path) as bundle:
            return _Examination(bundle, trust).report()
    except UnusableBundle as error:
        return _unusable(error.where, error.what)
    except OSError as error:
        return _unusable(str(path), f"cannot be read: {error.strerror or error}")


def _unusable(where: str, what: str) -> Report:
    return Report(Verdict.UNUSABLE, findings=(Finding("unusable", where, what, Verdict.UNUSABLE),))


class _Examination:
    """One bundle under examination, step by step; a step that fails leaves out those that build on it."""

    def __init__(self, bundle: BundleReader, trust: TrustPolicy | None) -> None:
        self._bundle = bundle
        self._trust = trust
        self._skew_ms = trust.max_clock_skew_ms if trust else DEFAULT_CLOCK_SKEW_MS
        self._findings = Findings()
        self._files: dict[str, FileEntry] = {}
        self._bad_crcs: list[str] = []
        self._signers: tuple[str, ...] = ()

    def report(self) -> Report:
        try:
            checkpoint = self._read(layout.CHECKPOINT)
            note = Note.parse(checkpoint)
            head = Checkpoint.parse(note.text)
        except ProofError as error:
            self._findings.altered("checkpoint", layout.CHECKPOINT, str(error))
            return Report(self._findings.verdict(), findings=self._findings.all())
        self._check_trust(checkpoint, note, head)
        blocks = Blocks(head)
        history = History(checkpoint, head, blocks, self._skew_ms)
        proved = self._check_blocks(blocks) and self._check_history(history)
        session = history.begin.session if history.begin else ""
        chunks = Chunks(session, blocks, history, self._skew_ms, self._findings, judged=proved)
        self._check_chunks(chunks)
        if not self._findings.has(Verdict.ALTERED):
            # What follows would only repeat, less clearly, what was found altered.
            self._check_nothing_is_left(blocks, chunks, history, head)
        if proved:
            self._check_end(history)
        return Report(
            verdict=self._findings.verdict(),
            session=chunks.session,
            origin=head.origin,
            chunks=chunks.present,
            bytes=chunks.bytes,
            records=len(history.entries),
            findings=self._findings.all(),
            windows=chunks.windows,
            signers=self._signers,
            begun_ms=history.begin.time_ms if history.begin else None,
            closed_ms=history.last.time_ms if history.closed and history.last else None,
        )

    def _check_trust(self, checkpoint: bytes, note: Note, head: Checkpoint) -> None:
        if self._trust is None:
            keys = ", ".join(f"{each.name} (key {each.key_id.hex()})" for each in note.signatures)
            said = f"no trust policy was given; the log is {head.origin!r}, and the keys on it are {keys}"
            self._findings.not_anchored("no-policy", layout.CHECKPOINT, said)
            return
        try:
            self._signers = open_checkpoint(checkpoint, self._trust).signers
        except BadSignature as error:
            self._findings.altered("signature", layout.CHECKPOINT, str(error))
        except NotTrusted as error:
            self._findings.not_anchored("not-trusted", layout.CHECKPOINT, error.what)

    def _check_blocks(self, blocks: Blocks) -> bool:
        seen, where = Fingerprint(), layout.BLOCKS
        try:
            for number, line in self._bundle.lines(self._bundle.named(layout.BLOCKS), seen):
                where = f"{layout.BLOCKS} line {number}"
                blocks.add(parse_block(line))
        except UnusableBundle:
            raise
        except ProofError as error:
            self._findings.altered("block", where, str(error))
            return False
        self._saw(layout.BLOCKS, seen)
        return True

    def _check_history(self, history: History) -> bool:
        evidence = self._bundle.evidence()
        try:
            for leaf in evidence:
                history.add(self._read_member(leaf), self._read_member(next(evidence)))
        except UnusableBundle:
            raise
        except ProofError as error:
            self._findings.altered("record", f"session record {len(history.entries)}", str(error))
            return False
        if history.begin is None:
            self._findings.altered("record", "evidence", "there is no begin record")
            return False
        if (
            self._trust
            and self._trust.recorders is not None
            and history.begin.key not in self._trust.recorders
        ):
            said = f"the trust policy does not list its recorder key {history.begin.key.hex()}"
            self._findings.not_anchored("recorder", "session record 0", said)
        return True

    def _check_chunks(self, chunks: Chunks) -> None:
        seen = Fingerprint()
        try:
            chunks.examine(self._bundle, seen)
        except UnusableBundle:
            raise
        except ProofError as error:
            self._findings.altered("chunk-record", error.where or layout.RECORDS, error.what)
        self._bad_crcs += chunks.bad_crcs
        self._saw(layout.RECORDS, seen)

    def _check_nothing_is_left(
        self, blocks: Blocks, chunks: Chunks, history: History, head: Checkpoint
    ) -> None:
        """The manifest describes this file, nothing in it is unused, the CRCs are those of the contents."""
        if (height := blocks.unused()) is not None:
            self._findings.altered("block", layout.BLOCKS, f"nothing in the bundle names block {height}")
        found = self._read(layout.MANIFEST)
        records = len(history.entries)
        expected = layout.manifest(chunks.session, head.origin, chunks.count, records, self._files)
        if found != expected:
            said = layout.explain_manifest(found, expected)
            self._findings.altered("manifest", layout.MANIFEST, said)
        elif self._bad_crcs and not self._findings.has(Verdict.ALTERED):
            raise UnusableBundle("its CRC-32 is not that of its content, which is right", self._bad_crcs[0])

    def _check_end(self, history: History) -> None:
        last = history.last
        if last is None:
            return
        if not history.closed:
            anchor = history.entries[-1].anchor
            said = f"in progress: no close record; up to {anchor} the session was still running"
            self._findings.incomplete("in-progress", f"session record {last.seq}", said)
        elif last.body["outcome"] == "abandoned":
            said = f"abandoned: the recording ended without being finished ({last.body['reason']})"
            self._findings.incomplete("abandoned", f"session record {last.seq}", said)

    def _read(self, name: str) -> bytes:
        return self._read_member(self._bundle.named(name))

    def _read_member(self, member: Member) -> bytes:
        data = self._bundle.read(member)
        seen = Fingerprint(data)
        self._saw_member(member, seen)
        return data

    def _saw(self, name: str, seen: Fingerprint) -> None:
        self._saw_member(self._bundle.named(name), seen)

    def _saw_member(self, member: Member, seen: Fingerprint) -> None:
        if member.name != layout.MANIFEST:
            self._files[member.name] = seen.entry()
        if seen.crc != member.crc:
            self._bad_crcs.append(member.name)
