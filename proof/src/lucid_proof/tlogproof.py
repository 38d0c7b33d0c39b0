"""Offline proofs that a leaf is logged: c2sp.org/tlog-proof, version 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lucid_proof import merkle
from lucid_proof.checkpoint import Checkpoint, decimal
from lucid_proof.domains import DIGEST_SIZE
from lucid_proof.errors import MalformedNote
from lucid_proof.note import MAX_NOTE, b64decode, b64encode

MAX_PROOF: Final = MAX_NOTE + 64 * 1024
_FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
_MAX_PATH: Final = 63


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A leaf's index, its inclusion path (sibling of the leaf first), and the signed checkpoint it leads to.

    Attributes
    ----------
    checkpoint : bytes
        The signed note, verbatim.
    extra : bytes
        Opaque data; nothing authenticates it. Lucid writes none.
    """

    index: int
    path: Sequence[bytes]
    checkpoint: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        extra = f"extra {b64encode(self.extra)}\n" if self.extra else ""
        path = "".join(f"{b64encode(each)}\n" for each in self.path)
        return f"{_FIRST_LINE}\n{extra}index {self.index}\n{path}\n".encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a proof strictly; the checkpoint in it is not looked at.

        Raises
        ------
        MalformedNote
            If it is not of the form of c2sp.org/tlog-proof.
        """
        if len(data) > MAX_PROOF:
            raise MalformedNote(f"a tlog-proof of {len(data)} bytes; at most {MAX_PROOF} are read")
        head, blank, checkpoint = data.partition(b"\n\n")
        if not blank or not checkpoint:
            raise MalformedNote("a tlog-proof is a proof, an empty line, and a checkpoint")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise MalformedNote("a tlog-proof that is not ASCII", f"byte {error.start}") from error
        if lines.pop(0) != _FIRST_LINE:
            raise MalformedNote(f"a tlog-proof begins with {_FIRST_LINE}", "line 1")
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = b64decode(lines.pop(0)[6:], "extra")
            if not extra:
                raise MalformedNote("a line for no extra data", "extra")
        if not lines or not lines[0].startswith("index "):
            raise MalformedNote("the line with the index is missing", "index")
        index = decimal(lines.pop(0)[6:], "index")
        path = tuple(b64decode(line, f"hash {at}") for at, line in enumerate(lines))
        if len(path) > _MAX_PATH or any(len(each) != DIGEST_SIZE for each in path):
            raise MalformedNote(f"a path has at most {_MAX_PATH} hashes of {DIGEST_SIZE} bytes", "path")
        return cls(index, path, checkpoint, extra)

    def verify(self, leaf_hash: bytes, checkpoint: Checkpoint) -> None:
        """Check that the leaf stands at `index` in the tree of `checkpoint`, which the caller has opened.

        Raises
        ------
        BadProof
            If it does not.
        """
        merkle.verify_inclusion(leaf_hash, self.index, checkpoint.size, self.path, checkpoint.root)
