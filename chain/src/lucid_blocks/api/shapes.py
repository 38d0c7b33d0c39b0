"""What requests and answers look like, shared by the routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from lucid_blocks.models import Entry
from lucid_blocks.node import Node
from lucid_blocks.tables import StoredBlock
from lucid_kit.clock import rfc3339
from lucid_kit.errors import ValidationFailed
from lucid_proof.canonical import encode
from lucid_proof.errors import ProofError
from lucid_proof.records import Header

MAX_INTEGER = 2**53 - 1

Count = Annotated[int, Field(ge=0, le=MAX_INTEGER, strict=True)]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
SessionName = Annotated[str, Field(pattern=r"^ses_[0-9a-f]{32}$")]
HexPath = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in lowercase hex")]
SessionPath = Annotated[str, Path(pattern=r"^ses_[0-9a-f]{32}$", description="A session's id")]
Kind = Literal["session.begin", "session.interim", "session.close", "recorder.admit", "recorder.revoke"]


def _node(request: Request) -> Node:
    node: Node = request.app.state.node
    return node


Chain = Annotated[Node, Depends(_node)]


class MalformedTransaction(ValidationFailed):
    """That is not a transaction, or not a block's header."""

    code = "LUCID_ERR_1203"
    advice = "Compare it with docs/specs/records.md."


class Closed(BaseModel):
    """A request: unknown members are errors."""

    model_config = ConfigDict(extra="forbid")


class TransactionIn(Closed):
    """A signed transaction (docs/specs/records.md); its canonical form is what was signed."""

    v: Literal[1]
    kind: Kind
    chain: Annotated[str, Field(min_length=1, max_length=256)]
    key: Hex32
    body: dict[str, Any]
    sig: Hex64

    def entry(self) -> Entry:
        """Raises `MalformedTransaction` for a body that is not its kind's."""
        try:
            return Entry.parse(encode(self.model_dump()))
        except ProofError as error:
            raise MalformedTransaction(str(error), what=error.what, where=error.where) from error


class HeaderIn(Closed):
    """A block's header."""

    v: Literal[1]
    kind: Literal["block"]
    chain: Annotated[str, Field(min_length=1, max_length=256)]
    height: Count
    log_root: Hex32
    log_size: Count
    prev: Hex32
    state_root: Hex32
    time: Count
    txs: Count

    def header(self) -> Header:
        """Raises `MalformedTransaction` for a header that cannot be."""
        try:
            return Header.from_json(self.model_dump())
        except ProofError as error:
            raise MalformedTransaction(str(error), what=error.what, where=error.where) from error


class BlockOut(BaseModel):
    """A block: its header, its hash, and the checkpoint whose signatures are the block's."""

    header: dict[str, Any]
    hash: str
    time: str
    size: int = Field(description="leaves of the log up to and with this block's header")
    checkpoint: str = Field(description="signed note, c2sp.org/tlog-checkpoint")

    @classmethod
    def of(cls, block: StoredBlock) -> BlockOut:
        return cls(**_block(block))


class WholeBlockOut(BlockOut):
    """A block with the ids of its transactions."""

    transactions: list[str]

    @classmethod
    def with_ids(cls, block: StoredBlock, ids: list[str]) -> WholeBlockOut:
        return cls(**_block(block), transactions=ids)


def _block(block: StoredBlock) -> dict[str, Any]:
    return {
        "header": block.header.to_json(),
        "hash": block.hash.hex(),
        "time": rfc3339(block.header.time_ms),
        "size": block.header.log_size + 1,
        "checkpoint": block.checkpoint.decode(),
    }
