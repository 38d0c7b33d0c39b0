"""What an attacker does to a bundle who can write any file but cannot sign: each attack makes one bad copy.

All but the first also make the manifest fit again, so that nothing but the proof itself can give them away.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lucid_proof import layout
from lucid_proof.canonical import decode, encode
from lucid_proof.testing import read_members, rewrite, write_members

Members = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Attack:
    """A way to tamper; `accepted` are the exit codes of `lucid-verify` that count as caught."""

    title: str
    make: Callable[[Path, Path, Path], Path]
    accepted: tuple[int, ...] = (1,)


def flip_a_byte(bundle: Path, _foreign: Path, scratch: Path) -> Path:
    """One bit in the middle of a chunk's ciphertext; everything else stays as it was."""
    members = read_members(bundle)
    name = layout.chunk_name(_chunks(members) // 2)
    content = bytearray(members[name])
    content[len(content) // 2] ^= 1
    return write_members(scratch / "flipped.lucid", members | {name: bytes(content)})


def cut_the_end(bundle: Path, _foreign: Path, scratch: Path) -> Path:
    """The last chunk and its record are gone."""

    def change(members: Members) -> None:
        lines = members[layout.RECORDS].splitlines(keepends=True)
        del members[layout.chunk_name(len(lines) - 1)]
        members[layout.RECORDS] = b"".join(lines[:-1])

    return rewrite(bundle, scratch / "cut.lucid", change)


def swap_two(bundle: Path, _foreign: Path, scratch: Path) -> Path:
    """Two chunks have changed places."""

    def change(members: Members) -> None:
        one, other = layout.chunk_name(0), layout.chunk_name(1)
        members[one], members[other] = members[other], members[one]

    return rewrite(bundle, scratch / "swapped.lucid", change)


def paste(bundle: Path, foreign: Path, scratch: Path) -> Path:
    """A chunk and its record come from another session of the same recorder."""
    theirs = read_members(foreign)

    def change(members: Members) -> None:
        members[layout.chunk_name(0)] = theirs[layout.chunk_name(0)]
        lines = members[layout.RECORDS].splitlines(keepends=True)
        lines[0] = theirs[layout.RECORDS].splitlines(keepends=True)[0]
        members[layout.RECORDS] = b"".join(lines)

    return rewrite(bundle, scratch / "pasted.lucid", change)


def change_a_time(bundle: Path, _foreign: Path, scratch: Path) -> Path:
    """The last record says that the chunk ended a second later."""

    def change(members: Members) -> None:
        lines = members[layout.RECORDS].splitlines()
        record = decode(lines[-1])
        assert isinstance(record, dict)
        record["to"] += 1000
        lines[-1] = encode(record)
        members[layout.RECORDS] = b"\n".join(lines) + b"\n"

    return rewrite(bundle, scratch / "later.lucid", change)


ALL = (
    Attack("a byte flipped in a chunk", flip_a_byte),
    Attack("last chunk and its record removed", cut_the_end, (1, 2)),
    Attack("two chunks swapped", swap_two),
    Attack("a chunk of another session pasted in", paste),
    Attack("a record's time changed", change_a_time),
)


def someone_elses_policy(scratch: Path) -> Path:
    """The trust policy of a chain that never saw this session."""
    chain = scratch / "another-chain"
    command = [sys.executable, "-m", "lucid_blocks"]
    options = ["--data", str(chain)]
    subprocess.run([*command, "init", *options, "--name", "stranger"], check=True, capture_output=True)
    made = subprocess.run([*command, "trust", *options], check=True, capture_output=True).stdout
    json.loads(made)
    trust = scratch / "someone-else.json"
    trust.write_bytes(made)
    return trust


def _chunks(members: Members) -> int:
    return sum(layout.chunk_index(name) is not None for name in members)
