"""Checkpoints: the signed heads of a log (c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lucid_proof import note
from lucid_proof.domains import DIGEST_SIZE
from lucid_proof.errors import MalformedNote, NotTrusted

if TYPE_CHECKING:
    from lucid_proof.trust import TrustPolicy

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
MAX_SIZE: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head: its origin, how many leaves it has, and the root over them.

    Attributes
    ----------
    root : bytes
        RFC 6962 root, 32 bytes.
    extensions : tuple of str
        Extension lines, without newlines. Lucid writes none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note text, which is what gets signed."""
        lines = (self.origin, str(self.size), note.b64encode(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text as a checkpoint.

        Raises
        ------
        MalformedNote
            If it is none.
        """
        lines = text.split("\n")
        if lines.pop() != "" or len(lines) < 3 or not all(lines):
            raise MalformedNote("a checkpoint has at least three lines, none of them empty")
        origin, size, root, *extensions = lines
        checkpoint = cls(
            origin, decimal(size, "tree size"), note.b64decode(root, "root hash"), tuple(extensions)
        )
        if len(checkpoint.root) != DIGEST_SIZE:
            raise MalformedNote(
                f"a root hash of {len(checkpoint.root)} bytes; it has {DIGEST_SIZE}", "root hash"
            )
        return checkpoint


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint that satisfied a trust policy.

    Attributes
    ----------
    log : VerifierKey
        The log's key, whose signature verified.
    witnesses : tuple of Signed
        The policy's witnesses whose cosignatures verified, each with the time it states.
    """

    checkpoint: Checkpoint
    log: note.VerifierKey
    witnesses: tuple[note.Signed, ...]

    @property
    def signers(self) -> tuple[str, ...]:
        """Names of the keys that signed, the log's first."""
        return (self.log.name, *(each.key.name for each in self.witnesses))


def sign_checkpoint(
    checkpoint: Checkpoint, log_key: note.SignerKey, cosigners: Sequence[note.CosignerKey], time_s: int
) -> bytes:
    """The signed note of a checkpoint: the log's signature, then each cosignature as of `time_s` (s)."""
    return note.sign(checkpoint.text(), [log_key, *cosigners], time_s)


def open_checkpoint(data: bytes, policy: TrustPolicy) -> Opened:
    """Read a signed checkpoint and check it against a trust policy.

    Raises
    ------
    MalformedNote
        If it is not a checkpoint.
    BadSignature
        If a signature by one of the policy's keys does not verify.
    NotTrusted
        If the origin is another, the log's signature is missing, or fewer than `quorum` witnesses cosigned.
    """
    signed_note = note.Note.parse(data)
    checkpoint = Checkpoint.parse(signed_note.text)
    signed = signed_note.verify((policy.log, *policy.witnesses))
    if checkpoint.origin != policy.origin:
        raise NotTrusted(
            f"it is of the log {checkpoint.origin!r}, and the trust policy of {policy.origin!r}", "checkpoint"
        )
    witnesses = tuple(each for each in signed if each.key != policy.log)
    if len(witnesses) == len(signed):
        raise NotTrusted(f"it lacks the signature of the log's key {policy.log}", "checkpoint")
    if len(witnesses) < policy.quorum:
        raise NotTrusted(
            f"{len(witnesses)} of the trust policy's witnesses cosigned it, and {policy.quorum} must",
            "checkpoint",
        )
    return Opened(checkpoint, policy.log, witnesses)


def decimal(text: str, where: str) -> int:
    """An integer 0 … 2⁶³−1 in ASCII decimal without leading zeroes.

    Raises
    ------
    MalformedNote
        If it is none.
    """
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise MalformedNote(f"{text[:24]!r} is no decimal number up to 2⁶³−1", where)
    return int(text)
