"""How much a Merkle tree costs beyond the hashes it is made of.

    python bench/merkle.py [LEAVES]

Appends leaves to a compact range and takes the root; beside it, in the same run, a plain loop makes as many
SHA-256 calls over inputs of the same sizes. Target: 1 M leaves in under 5 s, within 1.3 × of hashing alone.
"""

import hashlib
import sys
import time
from collections.abc import Callable

from lucid_proof.domains import leaf_hash, leaf_hashes
from lucid_proof.merkle import CompactRange

LEAF_BYTES = 256
BLOCK = 10_000  # as many transactions as a block holds
ROUNDS = 8


def timed(works: dict[str, Callable[[], None]]) -> dict[str, float]:
    """CPU seconds of each: the least of several turns, taken in turn so that load disturbs all alike."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.process_time()
            work()
            least[name] = min(least[name], time.process_time() - start)
    return least


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    entry, leaf, pair = bytes(LEAF_BYTES), bytes(1 + LEAF_BYTES), bytes(1 + 64)

    def hashing_alone() -> None:
        sha256 = hashlib.sha256
        for _ in range(count):
            sha256(leaf).digest()
        for _ in range(count - 1):
            sha256(pair).digest()

    def extend() -> None:
        tree = CompactRange()
        for at in range(0, count, BLOCK):
            tree.extend(leaf_hashes([entry] * min(BLOCK, count - at)))
        tree.root()

    def append() -> None:
        tree = CompactRange()
        for _ in range(count):
            tree.append(leaf_hash(entry))
        tree.root()

    loop = "the same SHA-256 calls in a loop"
    works = {
        loop: hashing_alone,
        "CompactRange.extend and root": extend,
        "CompactRange.append and root": append,
    }
    times = timed(works)
    print(f"{count:,} leaves of {LEAF_BYTES} bytes, best of {ROUNDS}")
    print(f"{'':<34}{'seconds':>9}{'× hashing':>11}")
    for name, seconds in times.items():
        print(f"{name:<34}{seconds:>9.2f}{seconds / times[loop]:>11.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
