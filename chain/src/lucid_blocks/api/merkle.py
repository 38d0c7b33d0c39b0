"""`/merkle`: RFC 6962 trees, built and checked for whoever has none at hand. Nothing that is sent here is
stored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lucid_blocks.api.shapes import Chain, Closed, Count, Hex32, HexPath, SessionPath
from lucid_kit.errors import NotFound, ValidationFailed
from lucid_proof import merkle
from lucid_proof.domains import leaf_hash
from lucid_proof.errors import BadProof

routes = APIRouter(prefix="/merkle", tags=["merkle"])
_LEAVES = 4_096
_PATH = 128


class RootUnknown(NotFound):
    """Nothing in this chain commits to a tree with that root."""

    code = "LUCID_ERR_1209"
    advice = "Roots are found once the record or block that names them is anchored."


class NoSuchLeaf(ValidationFailed):
    """The tree has no such leaf."""

    code = "LUCID_ERR_1210"
    advice = "Leaves are counted from 0."


class Leaves(Closed):
    """A tree, by its leaves: texts that are hashed as leaves, or leaf hashes."""

    leaves: Annotated[
        list[Annotated[str, Field(max_length=8_192)]], Field(max_length=_LEAVES, default_factory=list)
    ]
    leaf_hashes: Annotated[list[Hex32], Field(max_length=_LEAVES, default_factory=list)]
    prove: Count | None = Field(default=None, description="give the inclusion path of this leaf")


class Tree(BaseModel):
    """A tree's root, and a leaf's path if one was asked for."""

    root: str
    size: int
    path: list[str] | None = None


class Commitment(BaseModel):
    """Where the chain commits to a root."""

    tree: Literal["log", "session"]
    height: int
    size: int | None = Field(description="leaves under the root")
    session: str | None = None
    seq: int | None = None
    index: int | None = None


class Commitments(BaseModel):
    """Everything that commits to a root; at most 100."""

    root: str
    commitments: list[Commitment]


class Inclusion(Closed):
    """An inclusion proof (RFC 9162 § 2.1.3)."""

    kind: Literal["inclusion"]
    leaf_hash: Hex32
    index: Count
    size: Count
    path: Annotated[list[Hex32], Field(max_length=_PATH)]
    root: Hex32


class Consistency(Closed):
    """A consistency proof (RFC 9162 § 2.1.4)."""

    kind: Literal["consistency"]
    old: Count
    new: Count
    path: Annotated[list[Hex32], Field(max_length=_PATH)]
    old_root: Hex32
    new_root: Hex32


class Checked(BaseModel):
    """Whether a proof holds."""

    valid: bool
    reason: str | None = None


class SessionValidation(BaseModel):
    """Whether all of a session's records stand in the log, in order."""

    session: str
    valid: bool
    reason: str | None
    records: int
    first_height: int
    last_height: int


@routes.post("/build")
def build(tree: Leaves) -> Tree:
    """The root over leaves, texts first."""
    hashes = [leaf_hash(each.encode()) for each in tree.leaves]
    hashes += [bytes.fromhex(each) for each in tree.leaf_hashes]
    path = None
    if tree.prove is not None:
        if tree.prove >= len(hashes):
            raise NoSuchLeaf(f"A tree of {len(hashes)} leaves has no leaf {tree.prove}.")
        path = [each.hex() for each in merkle.inclusion_path(hashes, tree.prove)]
    return Tree(root=merkle.root(hashes).hex(), size=len(hashes), path=path)


@routes.post("/verify")
def verify(proof: Annotated[Inclusion | Consistency, Field(discriminator="kind")]) -> Checked:
    """Check a proof; nothing of this chain is looked at."""
    path = [bytes.fromhex(each) for each in proof.path]
    try:
        if isinstance(proof, Inclusion):
            merkle.verify_inclusion(
                bytes.fromhex(proof.leaf_hash), proof.index, proof.size, path, bytes.fromhex(proof.root)
            )
        else:
            merkle.verify_consistency(
                proof.old, proof.new, path, bytes.fromhex(proof.old_root), bytes.fromhex(proof.new_root)
            )
    except BadProof as error:
        return Checked(valid=False, reason=str(error))
    return Checked(valid=True)


@routes.get("/validation/{session_id}")
def validation(node: Chain, session_id: SessionPath) -> SessionValidation:
    """Check a session's records against the log."""
    records, reason = node.view.validate(session_id)
    return SessionValidation(
        session=session_id,
        valid=reason is None,
        reason=reason,
        records=len(records),
        first_height=records[0].height,
        last_height=records[-1].height,
    )


@routes.get("/{root_hash}")
def find(node: Chain, root_hash: HexPath) -> Commitments:
    """What commits to a root: a block to one of the log, a record to one of a session."""
    found: list[dict[str, Any]] = node.view.roots(bytes.fromhex(root_hash))
    if not found:
        raise RootUnknown(f"Nothing commits to {root_hash}.")
    return Commitments(root=root_hash, commitments=[Commitment(**each) for each in found])
