"""The chunk step beside its three primitives: gzip 6 (zlib-ng), AES-256-GCM, SHA-256, for 8 MiB raw.

    python bench/chunk_step.py

Prints for two kinds of data the step's time, the sum of the primitives alone, their ratio, and what of it the
root of the 4 KiB pieces is. The step is what a recorder does: seal and chunk record, without the disk.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from zlib_ng import zlib_ng

from lucid.recording.events import FrameEnd, Rectangle, encode
from lucid.recording.sealing import Span, record_of, seal
from lucid_proof.merkle import piece_root
from lucid_proof.records import Seen

SIZE = 8 * 1024 * 1024
SESSION = "ses_01920192019271928192019201920192"
SEEN = Seen(0, bytes(32))
KEY = os.urandom(32)
ROUNDS = 7
WORDS = [b"the", b"build", b"of", b"session", b"ok", b"in", b"test_spool.py", b"passed", b"0x7f3a"]


def screen_data() -> bytes:
    """Rectangles as a terminal gives them: rows of two colours in the shapes of glyphs, lines of words."""
    dice = random.Random(1)
    ink, paper = b"\xe0\xe0\xe0\x00", b"\x10\x10\x18\x00"
    glyphs = [[b"".join(dice.choice((ink, paper)) for _ in range(6)) for _ in range(13)] for _ in range(60)]
    out, number = bytearray(b"LRC1"), 0
    while True:
        words = b" ".join(dice.choice(WORDS) for _ in range(9))
        line = [glyphs[letter % 60] for letter in b"%6d " % number + words.ljust(73)[:73]]
        pixels = b"".join(b"".join(glyph[row] for glyph in line) for row in range(13))
        place = Rectangle(number, 8, 13 * (number % 30), 480, 13, pixels)
        event = encode(place) + encode(FrameEnd(number, number))
        if len(out) + len(event) > SIZE:
            return bytes(out)
        out += event
        number += 1


def best(*works: Callable[[], object]) -> list[float]:
    """Milliseconds of CPU of each one's best round; rounds alternate, so that all meet the same machine."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, taken in zip(works, times, strict=True):
            began = time.thread_time()
            work()
            taken.append(time.thread_time() - began)
    return [min(taken) * 1000 for taken in times]


def measure(name: str, raw: bytes) -> None:
    packed = zlib_ng.compress(raw, 6, 31)
    aead = AESGCM(KEY)
    sealed = aead.encrypt(bytes(12), packed, b"")
    gzip, gcm, sha, pieces, step = best(
        lambda: zlib_ng.compress(raw, 6, 31),
        lambda: aead.encrypt(bytes(12), packed, b""),
        lambda: hashlib.sha256(sealed).digest(),
        lambda: piece_root(sealed),
        lambda: record_of(seal(raw, KEY, SESSION, 0, SEEN), SESSION, 0, SEEN, Span(0, 1)),
    )
    alone = gzip + gcm + sha
    print(
        f"{name}: step {step:.1f} ms, primitives {alone:.1f} ms (gzip {gzip:.1f}, GCM {gcm:.2f},"
        f" SHA-256 {sha:.2f}): ratio {step / alone:.3f}; pieces {pieces:.2f} ms of it; stored {len(sealed)}"
    )


if __name__ == "__main__":
    measure("terminal", screen_data())
    measure("incompressible", os.urandom(SIZE))
    print(f"8 MiB raw, best of {ROUNDS}; wanted: ratio at most 1.15, terminal step below 100 ms")
