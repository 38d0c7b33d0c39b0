"""Valid evidence for tests: a small log, a session in it, and its bundle, from fixed keys and fixed times.

    session = a_session().with_chunks(3).closed()
    session.write(path)
    verify(path, session.policy)

For the tests of any room. The product never imports it: its keys are in the open.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_proof import domains, layout, merkle, records, zipform
from lucid_proof.bundle import BundleWriter, Evidence
from lucid_proof.canonical import JSON
from lucid_proof.checkpoint import Checkpoint, sign_checkpoint
from lucid_proof.layout import Block, FileEntry
from lucid_proof.note import CosignerKey, SignerKey
from lucid_proof.reader import BundleReader
from lucid_proof.records import ChunkRecord, Header, Seen, Transaction, build_transaction
from lucid_proof.tiles import encode_entries, entries_path, tiles_for
from lucid_proof.trust import TrustPolicy

ORIGIN: Final = "lucid.local/testing"
SESSION: Final = "ses_01927b6e4f5a7c3d8e9f0a1b2c3d4e5f"
START_MS: Final = 1_760_000_000_000
BLOCK_MS: Final = 10_000


def a_key(name: str) -> Ed25519PrivateKey:
    """A private key that follows from a name."""
    return Ed25519PrivateKey.from_private_bytes(domains.digest(f"lucid testing {name}".encode()))


class TestLog:
    """A log with blocks, kept in memory: what the chain plane does, as short as it can be said."""

    __test__ = False

    def __init__(self, origin: str = ORIGIN, witnesses: int = 3, keys: str = "") -> None:
        self.origin = origin
        self.log_key = SignerKey(origin, a_key(f"{origin} log {keys}"))
        self.witnesses = [
            CosignerKey(f"{origin}/validator-{number}", a_key(f"{origin} validator {number} {keys}"))
            for number in range(1, witnesses + 1)
        ]
        self.tree = merkle.MemoryTree()
        self.leaves: list[bytes] = []
        self.headers: list[Header] = []
        self.block([])

    @property
    def newest(self) -> Header:
        return self.headers[-1]

    def block(self, transactions: Sequence[Transaction], time_ms: int | None = None) -> Header:
        """Append a block with these transactions, 10 s after the last unless a time is given."""
        for each in transactions:
            self._append(each.bytes())
        header = self.made(transactions, time_ms)
        self._append(header.bytes())
        self.headers.append(header)
        return header

    def made(self, transactions: Sequence[Transaction], time_ms: int | None = None) -> Header:
        """The header that the log as it is would get, these transactions being its last."""
        height = len(self.headers)
        return Header(
            chain=self.origin,
            height=height,
            log_root=self.tree.root(),
            log_size=self.tree.size,
            prev=self.headers[-1].hash() if self.headers else domains.genesis_hash({"chain": self.origin}),
            state_root=domains.state_root({"height": height}),
            time_ms=START_MS + height * BLOCK_MS if time_ms is None else time_ms,
            txs=len(transactions),
        )

    def checkpoint(self, size: int | None = None, witnesses: Sequence[CosignerKey] | None = None) -> bytes:
        """The signed head of the log, or of what it was at an earlier size."""
        size = self.tree.size if size is None else size
        head = Checkpoint(self.origin, size, self.tree.root(size))
        cosigners = self.witnesses if witnesses is None else witnesses
        return sign_checkpoint(head, self.log_key, cosigners, self.newest.time_ms // 1000)

    def policy(self, quorum: int = 2, recorders: frozenset[bytes] | None = None) -> TrustPolicy:
        keys = tuple(each.verifier for each in self.witnesses)
        return TrustPolicy(self.origin, self.log_key.verifier, keys, quorum, recorders=recorders)

    def path(self, index: int) -> tuple[bytes, ...]:
        return tuple(self.tree.inclusion(index))

    def proved(self, height: int) -> Block:
        header = self.headers[height]
        return Block(header, self.path(header.log_size))

    def files(self) -> dict[str, bytes]:
        """The log as c2sp.org/tlog-tiles serves it: path below the prefix → content."""
        found = {"checkpoint": self.checkpoint(), **dict(tiles_for(0, self.tree.size, self.tree.node))}
        for at in range(0, self.tree.size, 256):
            entries = self.leaves[at : at + 256]
            found[entries_path(at // 256, len(entries))] = encode_entries(entries)
        return found

    def store(self, directory: Path) -> Path:
        """Write `files` below a directory."""
        for name, content in self.files().items():
            place = directory / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return directory

    def _append(self, leaf: bytes) -> None:
        self.leaves.append(leaf)
        self.tree.append(domains.leaf_hash(leaf))


class TestSession:
    """A session that records into a `TestLog`. Each step makes what a right recorder would make."""

    __test__ = False

    def __init__(
        self, log: TestLog | None = None, session: str = SESSION, recorder: str = "recorder"
    ) -> None:
        self.log = log or TestLog()
        self.session = session
        self.recorder = a_key(recorder)
        self.chunks: list[tuple[ChunkRecord, bytes]] = []
        self.records: list[tuple[Transaction, int]] = []
        self.anchors: list[int] = []
        self.clock_ms = self.log.newest.time_ms + 500
        self._random = random.Random(session)
        begin: dict[str, JSON] = {
            "anchor_within_ms": 60_000,
            "format": domains.RECORDING_FORMAT,
            "on_failure": "cut",
        }
        self.record(records.BEGIN, begin | {"key_commitment": domains.key_commitment(session.encode()).hex()})
        self.clock_ms = self.log.newest.time_ms + 500

    def with_chunks(self, count: int, size: int = 5000) -> Self:
        """Record chunks of `size` bytes, a block and an interim after every second one."""
        for _ in range(count):
            self.chunk(self._random.randbytes(size))
            if len(self.chunks) % 2 == 0:
                self.record(records.INTERIM, self.state() | {"event": "tick"})
        return self

    def paused(self, for_ms: int = 30_000) -> Self:
        self.record(records.INTERIM, self.state() | {"event": "pause"})
        self.clock_ms += for_ms
        while self.log.newest.time_ms + BLOCK_MS < self.clock_ms:
            self.log.block([])
        self.record(records.INTERIM, self.state() | {"event": "resume"})
        return self

    def closed(self, outcome: str = "closed", reason: str = "user-left") -> Self:
        self.record(records.CLOSE, self.state() | {"outcome": outcome, "reason": reason})
        return self

    def chunk(self, ciphertext: bytes, from_ms: int | None = None, lasts_ms: int = 5_000) -> ChunkRecord:
        """Seal a chunk that goes on from the last one."""
        start = self.clock_ms if from_ms is None else from_ms
        self.clock_ms = start + lasts_ms
        seen = self.log.newest.seen()
        made = ChunkRecord.of(self.session, len(self.chunks), ciphertext, start, self.clock_ms, seen)
        self.chunks.append((made, ciphertext))
        return made

    def record(self, kind: str, more: Mapping[str, JSON]) -> Transaction:
        """Sign a session record, with members of `more` taking precedence, and anchor it in a block."""
        made = build_transaction(kind, self.common() | dict(more), self.log.origin, self.recorder)
        return self.anchor(made)

    def anchor(self, record: Transaction) -> Transaction:
        self.records.append((record, self.log.tree.size))
        self.log.block([record])
        self.anchors.append(self.log.newest.height)
        return record

    def common(self) -> dict[str, JSON]:
        """Members of every session record, as of now."""
        return {
            "seen": self.log.newest.seen().to_json(),
            "seq": len(self.records),
            "session": self.session,
            "time": self.clock_ms,
        }

    def state(self) -> dict[str, JSON]:
        """Members with which a record commits to the chunks so far."""
        root = merkle.root(record.leaf_hash() for record, _ in self.chunks)
        return {"chunks": len(self.chunks), "root": root.hex()}

    @property
    def policy(self) -> TrustPolicy:
        return self.log.policy()

    def evidence(self) -> list[Evidence]:
        return [Evidence(record, index, self.log.path(index)) for record, index in self.records]

    def blocks(self, chunks: Sequence[ChunkRecord] | None = None) -> list[Block]:
        """Those that records and chunks name, and those that anchor the records."""
        sealed = [record for record, _ in self.chunks] if chunks is None else chunks
        named: set[Seen] = {record.seen for record in sealed} | {record.seen for record, _ in self.records}
        heights = {each.height for each in named} | set(self.anchors)
        return [self.log.proved(height) for height in sorted(heights)]

    def write(self, path: Path, checkpoint: bytes | None = None) -> Path:
        """Write the bundle; it holds the chunks that the newest record covers."""
        covered = self.records[-1][0].body.get("chunks", 0)
        chunks = self.chunks[: covered if isinstance(covered, int) else 0]
        with BundleWriter(path) as writer:
            for record, ciphertext in chunks:
                writer.add_chunk(record, None if writer.has(record) else ciphertext)
            blocks = self.blocks([record for record, _ in chunks])
            writer.finish(self.evidence(), blocks, checkpoint or self.log.checkpoint())
        return path


def a_session(log: TestLog | None = None, session: str = SESSION, recorder: str = "recorder") -> TestSession:
    """A session that has begun."""
    return TestSession(log, session, recorder)


def read_members(path: Path) -> dict[str, bytes]:
    """All members of a bundle, in order."""
    with BundleReader(path) as bundle:
        places = [member for _, member in bundle.chunks()]
        places.append(bundle.named(layout.RECORDS))
        places += bundle.evidence()
        places += [bundle.named(name) for name in (layout.BLOCKS, layout.CHECKPOINT, layout.MANIFEST)]
        return {member.name: bundle.read(member) for member in places}


def write_members(path: Path, members: Mapping[str, bytes]) -> Path:
    """A container in canonical form with these members, whatever they are."""
    written, directory = bytearray(), bytearray()
    for name, content in members.items():
        member = zipform.Member(name, len(content), zipform.crc32(content), len(written))
        written += zipform.local_header(member) + content
        directory += zipform.central_header(member)
    tail = zipform.Tail(len(members), len(directory), len(written))
    path.write_bytes(bytes(written + directory) + tail.bytes())
    return path


def rewrite(
    source: Path, target: Path, change: Callable[[dict[str, bytes]], dict[str, bytes] | None]
) -> Path:
    """Forge a bundle: change members at will; the manifest is then made to describe them.

    `change` alters the members in place or returns others. It is what an attacker does who can write files
    but cannot sign.
    """
    members = read_members(source)
    members = change(members) or members
    if members.get(layout.MANIFEST) == read_members(source)[layout.MANIFEST]:
        members[layout.MANIFEST] = describe(members)
    return write_members(target, members)


def describe(members: Mapping[str, bytes]) -> bytes:
    """The manifest that fits these members."""
    listed = {
        name: FileEntry(domains.digest(content), len(content))
        for name, content in members.items()
        if layout.chunk_index(name) is None and name != layout.MANIFEST
    }
    origin = members[layout.CHECKPOINT].split(b"\n", 1)[0].decode()
    count = members[layout.RECORDS].count(b"\n")
    evidence = sum(name.endswith(".leaf") for name in members)
    session = str(json.loads(members[layout.MANIFEST])["session"])
    return layout.manifest(session, origin, count, evidence, listed)
