"""What the chain knows of accounts and contracts. Addresses are 21 bytes (0x41 and 20 more), amounts sun."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from lucid_tron.codec.contracts import Abi
from lucid_tron.devnet.state import Reader, Sheet

Amounts = tuple[int, int, int]
"""Sun for bandwidth, for energy and for TRON power: indexed by a Resource."""

SUN = 1_000_000
WINDOW_SLOTS = 28_800
"""Slots of 3 s in which used bandwidth and energy come back: one day."""


class Resource(IntEnum):
    """What a stake yields; the numbers are those of TRON's ResourceCode."""

    BANDWIDTH = 0
    ENERGY = 1
    TRON_POWER = 2


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may sign what: enough of `keys` (address, weight) to reach `threshold`.

    `operations` is the 32-byte bit set of contract types an active permission may sign; the owner's is empty.
    """

    kind: int  # 0 owner, 1 witness, 2 active
    id: int
    name: str
    threshold: int
    keys: tuple[tuple[bytes, int], ...]
    operations: bytes = b""


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a resource was used, when (slot), and over how many slots (thousandths) it comes back."""

    used: int = 0
    slot: int = 0
    window: int = WINDOW_SLOTS * 1000


@dataclass(frozen=True, slots=True)
class Unfreezing:
    """A stake on its way back: withdrawable once the head block's time reaches `expires_ms`."""

    resource: Resource
    amount: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Account:
    """One account. Of `staked`, what is `lent` is not counted."""

    address: bytes
    balance: int = 0
    name: str = ""
    created_ms: int = 0
    is_contract: bool = False
    owner_permission: Permission | None = None
    active_permissions: tuple[Permission, ...] = ()
    free_net: Usage = field(default_factory=Usage)
    net: Usage = field(default_factory=Usage)
    energy: Usage = field(default_factory=Usage)
    staked: Amounts = (0, 0, 0)
    lent: Amounts = (0, 0, 0)
    borrowed: Amounts = (0, 0, 0)
    unfreezing: tuple[Unfreezing, ...] = ()
    votes: tuple[tuple[bytes, int], ...] = ()
    allowance: int = 0
    rewarded_slot: int = 0  # votes have earned up to this slot
    withdrawn_ms: int = 0
    last_operation_ms: int = 0

    def owner(self) -> Permission:
        """Return the owner permission; by default the account's own key decides alone."""
        return self.owner_permission or Permission(0, 0, "owner", 1, ((self.address, 1),))

    def actives(self) -> tuple[Permission, ...]:
        """Return the active permissions; by default one, of the account's own key."""
        return self.active_permissions or (
            Permission(2, 2, "active", 1, ((self.address, 1),), DEFAULT_OPERATIONS),
        )

    def weighed(self, resource: Resource) -> int:
        """Sun whose yield the account may use: its own stake that it has not lent, and what it borrowed."""
        return self.staked[resource] + self.borrowed[resource]

    def tron_power(self) -> int:
        """Votes the account has: one for each TRX it staked, lent or not."""
        return (sum(self.staked) + sum(self.lent)) // SUN

    def with_staked(self, resource: Resource, change: int) -> Account:
        return replace(self, staked=_moved(self.staked, resource, change))

    def with_lent(self, resource: Resource, change: int) -> Account:
        return replace(self, lent=_moved(self.lent, resource, change))

    def with_borrowed(self, resource: Resource, change: int) -> Account:
        return replace(self, borrowed=_moved(self.borrowed, resource, change))


DEFAULT_OPERATIONS = bytes.fromhex("7fff1fc0033ec30f" + "00" * 24)
"""The contract types that java-tron lets a new account's active permission sign."""


def _moved(amounts: Amounts, resource: Resource, change: int) -> Amounts:
    after = [amount + (change if index == resource else 0) for index, amount in enumerate(amounts)]
    return after[0], after[1], after[2]


@dataclass(frozen=True, slots=True)
class Contract:
    """What is stored beside a contract's code.

    `energy_factor` is the dynamic-energy surcharge in ten-thousandths: with 34,000 a step costs 4.4 times.
    """

    address: bytes
    origin: bytes
    name: str
    abi: Abi | None
    bytecode: bytes  # the creation code
    caller_percent: int
    origin_energy_limit: int
    txid: bytes
    energy_factor: int = 0


@dataclass(frozen=True, slots=True)
class Loan:
    """Staked sun whose yield is lent to somebody: `locked` until `until_ms`, `free` to be taken back."""

    free: int = 0
    locked: int = 0
    until_ms: int = 0

    def at(self, now_ms: int) -> Loan:
        """Return the loan with its lock opened when its time has come."""
        return Loan(self.free + self.locked) if self.locked and self.until_ms < now_ms else self


@dataclass(frozen=True, slots=True)
class Witness:
    """A super representative and the votes it has."""

    address: bytes
    url: str
    votes: int


def loan(state: Reader, owner: bytes, receiver: bytes, resource: Resource) -> Loan:
    return state.get(("loan", owner, receiver, int(resource))) or Loan()


def witness(state: Reader, address: bytes) -> Witness | None:
    found: Witness | None = state.get(("witness", address))
    return found


def account(state: Reader, address: bytes) -> Account | None:
    found: Account | None = state.get(("account", address))
    return found


def put_account(state: Sheet, value: Account) -> None:
    state.put(("account", value.address), value)


def contract(state: Reader, address: bytes) -> Contract | None:
    found: Contract | None = state.get(("contract", address))
    return found


def credit(state: Sheet, address: bytes, amount: int, now_ms: int) -> None:
    """Add `amount` sun, creating the account when it is not there."""
    there = account(state, address) or Account(address, created_ms=now_ms)
    put_account(state, replace(there, balance=there.balance + amount))
