"""What a running contract sees of the chain, in the shape py-evm's instructions ask for.

Inside the machine addresses have 20 bytes; the sheet below holds them with TRON's prefix 0x41.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from Crypto.Hash import keccak

from lucid_tron.devnet import accounts
from lucid_tron.devnet.state import Sheet

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = b"\x41"
ZERO_WORD = b"\x00" * 32


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


@dataclass(frozen=True, slots=True)
class BlockContext:
    """The block a contract runs in. Time in ms; `chain_id` is the end of the genesis block's id."""

    number: int
    time_ms: int
    coinbase: bytes  # 21 bytes
    chain_id: int
    energy_price: int  # sun
    block_hash: Callable[[int], bytes | None]


@dataclass(slots=True)
class Run:
    """One transaction's run: what all its nested calls share. py-evm calls this a transaction context."""

    txid: bytes
    origin: bytes  # 20 bytes
    gas_price: int = 0
    internal_calls: int = 0
    penalty: int = 0
    factors: dict[bytes, int] = field(default_factory=dict)
    _logs: itertools.count[int] = field(default_factory=itertools.count)

    def get_next_log_counter(self) -> int:
        return next(self._logs)

    @property
    def blob_versioned_hashes(self) -> Sequence[bytes]:
        return ()


class Host:
    """py-evm's state interface over a `Sheet`. Storage rows that become zero stay present until `settle`.

    java-tron prices a store by whether the row is present, not by whether it is zero (Storage, EnergyCost).
    """

    def __init__(self, sheet: Sheet, block: BlockContext) -> None:
        self.sheet = sheet
        self.execution_context = block
        self.coinbase = block.coinbase[1:]
        self.timestamp = block.time_ms // 1000
        self.block_number = block.number
        self.base_fee = block.energy_price
        self._transient: dict[tuple[bytes, int], bytes] = {}
        self._start = sheet.mark()

    difficulty = 0
    gas_limit = 0
    blob_base_fee = 0
    mix_hash = ZERO_WORD

    # -- going back
    def snapshot(self) -> tuple[int, dict[tuple[bytes, int], bytes]]:
        return self.sheet.mark(), dict(self._transient)

    def revert(self, snapshot: tuple[int, dict[tuple[bytes, int], bytes]]) -> None:
        self.sheet.back_to(snapshot[0])
        self._transient = snapshot[1]

    def settle(self) -> None:
        """Remove the rows this run left at zero."""
        for key in self.sheet.touched_since(self._start):
            if key[0] == "storage" and self.sheet.get(key) == 0:
                self.sheet.put(key, None)

    # -- accounts
    def account(self, address: bytes) -> accounts.Account | None:
        return accounts.account(self.sheet, PREFIX + address)

    def account_exists(self, address: bytes) -> bool:
        return self.account(address) is not None

    def account_is_empty(self, address: bytes) -> bool:
        return not self.account_exists(address)

    def create_contract(self, address: bytes, origin: bytes, txid: bytes) -> None:
        """Make room for a contract's code at `address`, which may have been an ordinary account before."""
        full, now = PREFIX + address, self.execution_context.time_ms
        there = self.account(address) or accounts.Account(full, created_ms=now)
        accounts.put_account(self.sheet, replace(there, is_contract=True))
        record = accounts.Contract(full, PREFIX + origin, "CreatedByContract", None, b"", 100, 0, txid)
        self.sheet.put(("contract", full), record)

    def get_balance(self, address: bytes) -> int:
        there = self.account(address)
        return there.balance if there else 0

    def delta_balance(self, address: bytes, delta: int) -> None:
        accounts.credit(self.sheet, PREFIX + address, delta, self.execution_context.time_ms)

    # -- code
    def get_code(self, address: bytes) -> bytes:
        code: bytes | None = self.sheet.get(("code", PREFIX + address))
        return code or b""

    def set_code(self, address: bytes, code: bytes) -> None:
        self.sheet.put(("code", PREFIX + address), code)

    def get_code_hash(self, address: bytes) -> bytes:
        return keccak256(self.get_code(address))

    # -- storage
    def row(self, address: bytes, slot: int) -> int | None:
        """Return the stored word, or None when there is no row."""
        found: int | None = self.sheet.get(("storage", PREFIX + address, slot))
        return found

    def get_storage(self, address: bytes, slot: int) -> int:
        return self.row(address, slot) or 0

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        self.sheet.put(("storage", PREFIX + address, slot), value)

    def get_transient_storage(self, address: bytes, slot: int) -> bytes:
        return self._transient.get((address, slot), b"")

    def set_transient_storage(self, address: bytes, slot: int, value: bytes) -> None:
        self._transient[address, slot] = value

    # -- blocks
    def get_ancestor_hash(self, number: int) -> bytes:
        if not max(0, self.block_number - 256) <= number < self.block_number:
            return ZERO_WORD
        return self.execution_context.block_hash(number) or ZERO_WORD
