"""`/anchoring`: the same log, asked by session."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lucid_blocks.api.shapes import MAX_INTEGER, Chain, Closed, SessionPath, TransactionIn
from lucid_blocks.api.transactions import MAX_BATCH, BatchResult, result
from lucid_blocks.models import Entry
from lucid_blocks.view import Evidence
from lucid_kit.clock import rfc3339
from lucid_kit.errors import ValidationFailed
from lucid_proof import records
from lucid_proof.checkpoint import open_checkpoint
from lucid_proof.domains import leaf_hash
from lucid_proof.errors import ProofError
from lucid_proof.tlogproof import MAX_PROOF, TlogProof

routes = APIRouter(prefix="/anchoring", tags=["anchoring"])
_SESSION_KINDS = (records.BEGIN, records.INTERIM, records.CLOSE)


class NotOneSession(ValidationFailed):
    """These are not records of one session."""

    code = "LUCID_ERR_1208"
    advice = "Send the records of one session in the order of seq, or use /transactions/batch."


class SessionRecords(Closed):
    """Signed records of one session in the order of seq."""

    records: Annotated[list[TransactionIn], Field(min_length=1, max_length=MAX_BATCH)]


class SessionResults(BaseModel):
    """What became of each record."""

    session: str
    records: list[BatchResult]


class InclusionProof(BaseModel):
    """RFC 6962 inclusion proof, the leaf's sibling first; hex."""

    index: int
    size: int
    path: list[str]


class AnchoredRecord(BaseModel):
    """A record in the log."""

    id: str
    kind: str
    seq: int
    height: int = Field(description="of the block that anchors it")
    index: int
    time: str = Field(description="of that block: the record existed no later")
    leaf: str = Field(description="the exact canonical bytes, which are UTF-8")
    proof: InclusionProof


class AnchoredSession(BaseModel):
    """What the log says of a session."""

    session: str
    state: Literal["recording", "paused", "closed", "abandoned"]
    records: list[AnchoredRecord]
    next: int | None = Field(description="give it as `after` to read on")
    size: int = Field(description="leaves of the log under `checkpoint`")
    checkpoint: str


class Claim(Closed):
    """A leaf and its proof."""

    leaf: Annotated[str, Field(max_length=records.MAX_LEAF)]
    proof: Annotated[str, Field(max_length=MAX_PROOF, description="c2sp.org/tlog-proof")]


class Verification(BaseModel):
    """Whether the leaf stands in this log."""

    valid: bool
    reason: str | None = None
    index: int | None = None
    size: int | None = None
    signers: list[str] = []


class AnchoringStatus(BaseModel):
    """How far anchoring is behind."""

    pending: int
    pending_bytes: int
    oldest_pending_ms: int = Field(description="how long the oldest transaction has waited")
    height: int
    time: str
    late_ms: int
    next_block_in_ms: int
    block_ms: int


@routes.post("/session", status_code=202, max_body_size=12 << 20)
async def post_session(node: Chain, session: SessionRecords) -> SessionResults:
    """Take the signed records of one session; as /transactions/batch."""
    entries = [each.entry() for each in session.records]
    names = {entry.tx.session if entry.tx.kind in _SESSION_KINDS else "" for entry in entries}
    name = names.pop()
    if names or not name:
        raise NotOneSession("The records are of different sessions, or not of a session at all.")
    answers = await node.intake.submit(entries)
    return SessionResults(
        session=name, records=[result(node, *each) for each in zip(entries, answers, strict=True)]
    )


@routes.get("/session/{session_id}")
def get_session(
    node: Chain,
    session_id: SessionPath,
    after: Annotated[int, Query(ge=-1, le=MAX_INTEGER, description="a seq")] = -1,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> AnchoredSession:
    """A session's records in the log, each with its proof under one checkpoint."""
    head = node.view.head()
    size = head.header.log_size + 1
    found = node.view.records(session_id)
    rest = [each for each in found if (each.seq or 0) > after]
    last = node.view.evidence(found[-1], size)
    return AnchoredSession(
        session=session_id,
        state=_state(node, session_id, last.entry),
        records=[
            _record(node, evidence, size)
            for evidence in (node.view.evidence(each, size) for each in rest[:limit])
        ],
        next=rest[limit - 1].seq if len(rest) > limit else None,
        size=size,
        checkpoint=head.checkpoint.decode(),
    )


@routes.post("/verify")
def verify(node: Chain, claim: Claim) -> Verification:
    """Check a leaf's tlog-proof against this log's keys. `lucid-verify` does it offline and needs not
    trust us."""
    try:
        proof = TlogProof.parse(claim.proof.encode())
        opened = open_checkpoint(proof.checkpoint, node.genesis.trust())
        proof.verify(leaf_hash(claim.leaf.encode()), opened.checkpoint)
    except ProofError as error:
        return Verification(valid=False, reason=str(error))
    return Verification(
        valid=True, index=proof.index, size=opened.checkpoint.size, signers=list(opened.signers)
    )


@routes.get("/status")
def status(node: Chain) -> AnchoringStatus:
    """How far anchoring is behind."""
    head = node.view.head()
    count, size = node.ledger.waiting_size()
    rows = node.ledger.waiting()[:1]
    return AnchoringStatus(
        pending=count,
        pending_bytes=size,
        oldest_pending_ms=max(0, node.clock.now_ms() - rows[0].arrived_ms) if rows else 0,
        height=head.header.height,
        time=rfc3339(head.header.time_ms),
        late_ms=node.delay_ms(),
        next_block_in_ms=max(0, node.engine.next_block_in_ms()),
        block_ms=node.genesis.params.block_ms,
    )


def _state(node: Chain, session: str, last: Entry) -> Literal["recording", "paused", "closed", "abandoned"]:
    body = last.tx.body
    if last.tx.kind == records.CLOSE:
        return "closed" if body["outcome"] == "closed" else "abandoned"
    if body.get("event") == "pause":
        return "paused"
    is_open = node.ledger.state.open.get(session)
    return "paused" if is_open is not None and is_open.paused else "recording"


def _record(node: Chain, evidence: Evidence, size: int) -> AnchoredRecord:
    record = evidence.record
    return AnchoredRecord(
        id=evidence.entry.id,
        kind=record.kind,
        seq=record.seq or 0,
        height=record.height,
        index=record.position,
        time=rfc3339(node.view.block(record.height).header.time_ms),
        leaf=evidence.entry.data.decode(),
        proof=InclusionProof(index=record.position, size=size, path=[each.hex() for each in evidence.path]),
    )
