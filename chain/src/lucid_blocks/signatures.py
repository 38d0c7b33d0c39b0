"""Checking a signature once: the answer for a transaction's bytes never changes, so it may be remembered.

A transaction is checked when it arrives, when it is put into a block, and when the block is applied. Its
id is the hash of all its bytes, the signature among them: what was found true for an id is true for ever.
Only *true* is remembered; nobody can fill the memory with rubbish.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from lucid_blocks.models import Entry
from lucid_proof.errors import BadSignature

_REMEMBERED: Final = 65_536  # ids; about 10 MB
_good: OrderedDict[bytes, None] = OrderedDict()


def is_signed(entry: Entry) -> bool:
    """Whether the transaction's signature is that of its key (Ed25519, RFC 8032)."""
    if entry.hash in _good:
        return True
    try:
        entry.tx.verify()
    except BadSignature:
        return False
    _good[entry.hash] = None
    if len(_good) > _REMEMBERED:
        _good.popitem(last=False)
    return True


def forget() -> None:
    """Forget what was checked; for measurements."""
    _good.clear()
