"""The chain: it takes transactions, carries them out in an open block, seals blocks, and can take them back.

A transaction is carried out once, in the block it will be sealed in, whose number and time are fixed when it
is opened. Reads of the "full node" see the open block, as java-tron's see pending transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import coincurve

from lucid_tron.codec import transaction
from lucid_tron.codec.contracts import TransferContract
from lucid_tron.codec.errors import CodecError
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.devnet import accounts, resources
from lucid_tron.devnet.actuators import ACTUATORS, Context, Invalid
from lucid_tron.devnet.blocks import BLOCK_MS, ZERO_HASH, Block, Entry, address_of, forge
from lucid_tron.devnet.evm.host import BlockContext
from lucid_tron.devnet.params import Parameters
from lucid_tron.devnet.signatures import BadSignature, weigh
from lucid_tron.devnet.state import Reader, Sheet, World

MAX_SIZE = 500 * 1024
RESULT_SIZE = 64
MAX_EXPIRATION_MS = 86_400_000


class Refused(Exception):
    """A transaction was not taken: `code` is java-tron's response code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class _Open:
    """The block that transactions go into until it is sealed."""

    context: BlockContext
    witness: coincurve.PrivateKey
    sheet: Sheet
    entries: list[Entry] = field(default_factory=list)


class Ledger:
    """One chain. Not thread-safe: everything runs in one event loop."""

    def __init__(
        self,
        parameters: Parameters,
        witnesses: list[coincurve.PrivateKey],
        genesis: Sheet,
        world: World,
        *,
        genesis_ms: int,
        now_ms: Callable[[], int],
        solid_lag: int = 19,
        interval_ms: int = 0,
    ) -> None:
        self.interval_ms = interval_ms
        self.parameters = parameters
        self.solid_lag = solid_lag
        self.skew_ms = 0
        self._now_ms = now_ms
        self._witnesses = witnesses
        self._turn = 0
        self._world = world
        self._world.seal(genesis.changes)
        self.blocks: list[Block] = [forge(0, genesis_ms, ZERO_HASH, witnesses[0], ())]
        self._places: dict[bytes, tuple[int, int]] = {}
        self._open: _Open | None = None

    # -- reading
    @property
    def head(self) -> Block:
        return self.blocks[-1]

    @property
    def solid(self) -> Block:
        return self.blocks[self.solid_height()]

    def solid_height(self, lag: int | None = None) -> int:
        """Number of the newest block that is irreversible, `lag` blocks behind the head."""
        return max(0, self.head.number - (self.solid_lag if lag is None else lag))

    @property
    def chain_id(self) -> int:
        return int.from_bytes(self.blocks[0].id[-4:], "big")

    @property
    def state(self) -> Reader:
        """The state with what waits to be sealed."""
        return self._open.sheet if self._open else self._world

    def state_at(self, height: int) -> Reader:
        return self._world.at(height)

    @property
    def slot(self) -> int:
        """3 s slots since genesis at the head block: the clock of resources."""
        return (self.head.timestamp - self.blocks[0].timestamp) // BLOCK_MS

    def now_ms(self) -> int:
        """The chain's idea of the present: the clock and what was added by `advance`."""
        return self._now_ms() + self.skew_ms

    def find(self, txid: bytes) -> tuple[Block, Entry] | None:
        """Return a sealed transaction and its block."""
        place = self._places.get(txid)
        return (self.blocks[place[0]], self.blocks[place[0]].entries[place[1]]) if place else None

    def pending(self) -> list[Entry]:
        return list(self._open.entries) if self._open else []

    def block_by_id(self, block_id: bytes) -> Block | None:
        number = int.from_bytes(block_id[:8], "big")
        if number < len(self.blocks) and self.blocks[number].id == block_id:
            return self.blocks[number]
        return None

    def context(self) -> BlockContext:
        """The block a dry run happens in: the open one, or the one that would be opened now."""
        return self._open.context if self._open else self._next_context()

    # -- taking transactions
    def broadcast(self, signed: SignedTransaction) -> bytes:
        """Carry a transaction out in the open block and return its txID.

        Raises
        ------
        Refused
            With java-tron's code; nothing has changed then.
        """
        try:
            raw = transaction.decode(signed.raw)
        except CodecError as error:
            raise Refused("CONTRACT_VALIDATE_ERROR", f"Contract validate error : {error.detail}") from error
        txid = signed.txid
        self._check_signatures(raw, signed)
        self._check_reference(raw)
        self._check_limits(raw, signed)
        if txid in self._places or any(entry.txid == txid for entry in self.pending()):
            raise Refused("DUP_TRANSACTION_ERROR", "Dup transaction.")
        opened = self._open or self._open_block()
        mark = opened.sheet.mark()
        try:
            entry = self._carry_out(opened, raw, signed, txid)
        except resources.Insufficient:
            opened.sheet.back_to(mark)
            raise Refused("BANDWITH_ERROR", "Account resource insufficient error.") from None
        except Invalid as error:
            opened.sheet.back_to(mark)
            raise Refused("CONTRACT_VALIDATE_ERROR", f"Contract validate error : {error}") from None
        opened.entries.append(entry)
        self._open = opened
        return txid

    def _check_signatures(self, raw: RawTransaction, signed: SignedTransaction) -> None:
        if not signed.signatures:
            raise Refused("SIGERROR", "Validate signature error: miss sig or contract")
        try:
            weight = weigh(self.state, raw, signed)
        except BadSignature as error:
            raise Refused("SIGERROR", f"Validate signature error: {error}") from None
        if not weight.enough:
            raise Refused(
                "SIGERROR",
                f"Validate signature error: trans sig validate failed, id: {signed.txid.hex()}",
            )

    def _check_reference(self, raw: RawTransaction) -> None:
        low = int.from_bytes(raw.ref_block_bytes, "big")
        head = self.head.number
        number = head - ((head - low) & 0xFFFF)
        if number < 0 or self.blocks[number].id[8:16] != raw.ref_block_hash:
            raise Refused("TAPOS_ERROR", "Tapos check error.")

    def _check_limits(self, raw: RawTransaction, signed: SignedTransaction) -> None:
        size = len(transaction.encode_signed(signed)) + 2 * RESULT_SIZE
        if size > MAX_SIZE:
            raise Refused(
                "TOO_BIG_TRANSACTION_ERROR",
                f"Too big transaction with result, TxId {signed.txid.hex()}, "
                f"the size is {size} bytes, maxTxSize {MAX_SIZE}",
            )
        head = self.head.timestamp
        if not head < raw.expiration <= head + MAX_EXPIRATION_MS:
            raise Refused("TRANSACTION_EXPIRATION_ERROR", "Transaction expired")

    def _carry_out(self, opened: _Open, raw: RawTransaction, signed: SignedTransaction, txid: bytes) -> Entry:
        sheet, owner, parameters = opened.sheet, raw.contract.owner_address, self.parameters
        if accounts.account(sheet, owner) is None:
            raise Invalid(f"account [{owner.base58}] does not exist")
        creates = isinstance(raw.contract, TransferContract) and (
            accounts.account(sheet, raw.contract.to_address) is None
        )
        size = len(transaction.encode_signed(signed)) + RESULT_SIZE
        bill = resources.pay_bandwidth(sheet, parameters, owner, size, self.slot, creates=creates)
        extra_fee = parameters["getMultiSignFee"] if len(signed.signatures) > 1 else 0
        extra_fee += parameters["getMemoFee"] if raw.data else 0
        resources.burn(sheet, owner, extra_fee)
        context = Context(
            sheet=sheet,
            parameters=parameters,
            block=opened.context,
            now_ms=self.head.timestamp,
            slot=self.slot,
            txid=txid,
            fee_limit=raw.fee_limit,
        )
        effect = ACTUATORS[type(raw.contract)](context, raw.contract)
        return Entry(signed, raw, txid, effect, bill.usage, bill.fee, bill.fee + extra_fee + effect.fee)

    # -- making blocks
    def _next_context(self) -> BlockContext:
        return BlockContext(
            number=self.head.number + 1,
            time_ms=self._next_time(),
            coinbase=bytes(address_of(self._witnesses[self._turn % len(self._witnesses)])),
            chain_id=self.chain_id,
            energy_price=self.parameters["getEnergyFee"],
            block_hash=lambda number: self.blocks[number].id if number < len(self.blocks) else None,
        )

    def _next_time(self) -> int:
        """A block made on demand has the present time; one made every interval has its slot's."""
        if not self.interval_ms:
            return max(self.now_ms(), self.head.timestamp + 1)
        return (max(self.now_ms(), self.head.timestamp) // self.interval_ms + 1) * self.interval_ms

    def _open_block(self) -> _Open:
        key = self._witnesses[self._turn % len(self._witnesses)]
        return _Open(self._next_context(), key, Sheet(self._world))

    def seal(self) -> Block:
        """Close the open block, empty or not, and return it."""
        opened = self._open or self._open_block()
        self._open = None
        self._turn += 1
        block = forge(
            opened.context.number,
            opened.context.time_ms,
            self.head.id,
            opened.witness,
            tuple(opened.entries),
        )
        self._world.seal(opened.sheet.changes)
        self.blocks.append(block)
        for position, entry in enumerate(block.entries):
            self._places[entry.txid] = (block.number, position)
        return block

    def advance(self, milliseconds: int) -> Block:
        """Let time pass: the next block is sealed that much later than now."""
        if self._open:
            self.seal()
        self.skew_ms += milliseconds
        return self.seal()

    def amend(self) -> Sheet:
        """Return the open block's sheet, for changes outside any transaction: an operator's hand."""
        self._open = self._open or self._open_block()
        return self._open.sheet

    # -- taking blocks back
    def reorganise(self, depth: int, *, lose: bool = False, later: bool = False) -> list[bytes]:
        """Replace the newest `depth` blocks by `depth` + 1 others and return the txIDs that were in them.

        Their transactions are carried out again in the new blocks, or never (`lose`), or only once the new
        branch is sealed (`later`). Solid blocks do not go: at most `head - solid` can be replaced.
        """
        depth = min(depth, self.head.number - self.solid.number)
        orphans: list[SignedTransaction] = []
        if self._open:
            orphans += [entry.signed for entry in self._open.entries]
            self._open = None
        for _ in range(depth):
            block = self.blocks.pop()
            self._world.unseal()
            for entry in block.entries:
                del self._places[entry.txid]
            orphans[:0] = [entry.signed for entry in block.entries]
        self._turn += depth + 1  # other representatives: the new blocks have other ids
        self._again([] if lose or later else orphans)
        for _ in range(depth + 1):
            self.seal()
        if later and not lose:
            self._again(orphans)
        return [signed.txid for signed in orphans]

    def _again(self, orphans: list[SignedTransaction]) -> None:
        for signed in orphans:
            try:
                self.broadcast(signed)
            except Refused:
                continue  # its reference block is gone or it expired: as on a real network it is lost
