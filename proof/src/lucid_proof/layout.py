"""What a bundle holds (docs/specs/bundle.md): names of its members, their bounds, the manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lucid_proof.canonical import JSON, decode, encode
from lucid_proof.errors import AlteredBundle, NotCanonical
from lucid_proof.note import MAX_NOTE
from lucid_proof.records import MAX_CHUNK, MAX_CHUNKS, MAX_LEAF, MAX_SESSION_RECORDS, Header
from lucid_proof.tlogproof import MAX_PROOF

FORMAT: Final = "lucid-bundle/1"
RECORDS: Final = "records.jsonl"
BLOCKS: Final = "blocks.jsonl"
CHECKPOINT: Final = "checkpoint"
MANIFEST: Final = "manifest.json"

MAX_BLOCKS: Final = 1 << 20
MAX_LINE: Final = MAX_LEAF + 8192
MAX_MANIFEST: Final = 16 * 1024 * 1024
MAX_MEMBERS: Final = MAX_CHUNKS + 2 * MAX_SESSION_RECORDS + 4

_CHUNK: Final = re.compile(r"chunks/([0-9]{8})\.bin")
_EVIDENCE: Final = re.compile(r"evidence/(0|[1-9][0-9]{0,5})\.(leaf|tlog-proof)")

_BOUNDS: Final = {
    RECORDS: MAX_CHUNKS * MAX_LEAF,
    BLOCKS: MAX_BLOCKS * MAX_LINE,
    CHECKPOINT: MAX_NOTE,
    MANIFEST: MAX_MANIFEST,
}


def chunk_name(index: int) -> str:
    return f"chunks/{index:08d}.bin"


def chunk_index(name: str) -> int | None:
    """The index in a chunk's name; None for another member."""
    found = _CHUNK.fullmatch(name)
    return int(found[1]) if found else None


def leaf_name(number: int) -> str:
    return f"evidence/{number}.leaf"


def proof_name(number: int) -> str:
    return f"evidence/{number}.tlog-proof"


def is_evidence(name: str) -> bool:
    return _EVIDENCE.fullmatch(name) is not None


def largest(name: str) -> int:
    """How many bytes a member of this name may have; 0 for a name that no bundle has."""
    if name in _BOUNDS:
        return _BOUNDS[name]
    if _CHUNK.fullmatch(name):
        return MAX_CHUNK
    if found := _EVIDENCE.fullmatch(name):
        return MAX_LEAF if found[2] == "leaf" else MAX_PROOF
    return 0


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header and the proof that it stands in the log at index `log_size` of itself."""

    header: Header
    path: tuple[bytes, ...]

    def line(self) -> bytes:
        """Its line of blocks.jsonl, newline included."""
        return encode({"header": self.header.to_json(), "proof": [each.hex() for each in self.path]}) + b"\n"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Digest and size of a member, as the manifest lists it."""

    sha256: bytes
    size: int


def manifest(session: str, origin: str, chunks: int, records: int, files: Mapping[str, FileEntry]) -> bytes:
    """The manifest of a bundle; all of it follows from the other members."""
    listed: JSON = {name: {"sha256": entry.sha256.hex(), "size": entry.size} for name, entry in files.items()}
    return encode(
        {
            "chunks": chunks,
            "files": listed,
            "format": FORMAT,
            "origin": origin,
            "records": records,
            "session": session,
        }
    )


def explain_manifest(found: bytes, expected: bytes) -> str:
    """Why a manifest is not the one that the other members make, in words.

    A manifest says nothing that the rest of the bundle doesn't, so it is judged by comparing bytes; this only
    finds the member to name.
    """
    try:
        says = decode(found)
    except NotCanonical as error:
        return f"the manifest cannot be read: {error}"
    if not isinstance(says, dict):
        return "the manifest is not an object"
    is_so = decode(expected)
    if not isinstance(is_so, dict):
        raise AlteredBundle("the manifest is not an object", MANIFEST)
    listed, files = says.get("files"), is_so["files"]
    if isinstance(listed, dict):
        for name in sorted(listed.keys() | files.keys()):
            if listed.get(name) != files.get(name):
                return f"the manifest does not describe {name[:MAX_LINE]!r} as it is in this file"
    for name in sorted(is_so.keys() | says.keys()):
        if says.get(name) != is_so.get(name):
            said, so = str(says.get(name))[:80], str(is_so.get(name))[:80]
            return f"the manifest says {said!r} as {name[:64]!r}, and it is {so!r}"
    return "the manifest does not describe this file"
