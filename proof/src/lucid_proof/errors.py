"""What can be wrong with evidence, each with a stable code and what the reader can do.

Every error of this package is a `ProofError`. Codes LUCID_ERR_41xx are rules of the domain (see docs/errors).
"""

from __future__ import annotations

from typing import ClassVar


class ProofError(ValueError):
    """A piece of evidence is not what it must be.

    Parameters
    ----------
    what : str
        What is wrong, in words.
    where : str
        Which document, member or line it was found in; empty when the caller knows.
    """

    code: ClassVar[str] = "LUCID_ERR_4100"
    advice: ClassVar[str] = "Ask whoever gave you this evidence for the original."

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what = what
        self.where = where


class NotCanonical(ProofError):
    """Bytes are not the canonical JSON of what they say, or a value has no canonical form."""

    code = "LUCID_ERR_4101"
    advice = "Write the document as docs/specs/encoding.md says: sorted members, integers only, no spaces."


class MalformedRecord(ProofError):
    """A record, transaction or block header lacks a member, has one too many, or one of the wrong form."""

    code = "LUCID_ERR_4102"
    advice = "Compare the record with docs/specs/records.md."


class MalformedNote(ProofError):
    """A signed note, checkpoint, key or tlog-proof is not of its C2SP form."""

    code = "LUCID_ERR_4103"
    advice = "Compare it with c2sp.org/signed-note, /tlog-checkpoint and /tlog-proof."


class BadSignature(ProofError):
    """A signature by a known key does not verify: the text is not what was signed."""

    code = "LUCID_ERR_4104"
    advice = "The text was changed after it was signed; ask for the original."


class BadProof(ProofError):
    """An inclusion or consistency proof does not lead from the leaf to the root."""

    code = "LUCID_ERR_4105"
    advice = "The leaf, the proof or the root was changed; ask for the original."


class NotTrusted(ProofError):
    """The signatures on a checkpoint are not those that the trust policy asks for."""

    code = "LUCID_ERR_4106"
    advice = "Check that the trust policy is of the log that the evidence names."


class MalformedPolicy(ProofError):
    """A trust policy cannot be read."""

    code = "LUCID_ERR_4107"
    advice = "Compare it with docs/specs/trust.md, or ask the log's operator for trust.json again."


class UnusableBundle(ProofError):
    """A file is not a proof bundle, or not in the one form that a bundle has."""

    code = "LUCID_ERR_4108"
    advice = "Export the session again, and copy the file byte for byte."


class AlteredBundle(ProofError):
    """A bundle is in form, but what it says does not hold together."""

    code = "LUCID_ERR_4109"
    advice = "Do not rely on this recording; compare the file with another copy."


class MalformedReceipt(ProofError):
    """A receipt cannot be read."""

    code = "LUCID_ERR_4110"
    advice = "Use the file that was given when the session was created, unchanged."


class LogUnreadable(ProofError):
    """A log's checkpoint or tiles could not be read, or are not of their C2SP form."""

    code = "LUCID_ERR_4111"
    advice = "Check the directory or URL; it is the prefix under which `checkpoint` and `tile/` live."
