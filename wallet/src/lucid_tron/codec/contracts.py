"""The contracts a transaction can hold: what each field means, its number, its unit.

Field numbers are those of java-tron's protocol (tronprotocol/protocol, core/contract/*.proto). Amounts of
TRX are in sun (10^-6 TRX). An address field is an `Address`; contracts with required addresses can't be
built without them.
"""

# ruff: noqa: RUF009 -- a field's default carries its number and kind; nothing mutable is shared

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from lucid_tron.codec.address import Address
from lucid_tron.codec.wire import (
    ADDRESS,
    BOOL,
    BYTES,
    INT32,
    INT64,
    MAYBE_ADDRESS,
    TEXT,
    Message,
    enumeration,
    message,
    nested,
    repeated,
    tagged,
)


class ContractType(IntEnum):
    """`protocol.Transaction.Contract.ContractType`, as far as Lucid speaks it."""

    TransferContract = 1
    VoteWitnessContract = 4
    WithdrawBalanceContract = 13
    CreateSmartContract = 30
    TriggerSmartContract = 31
    AccountPermissionUpdateContract = 46
    FreezeBalanceV2Contract = 54
    UnfreezeBalanceV2Contract = 55
    WithdrawExpireUnfreezeContract = 56
    DelegateResourceContract = 57
    UnDelegateResourceContract = 58
    CancelAllUnfreezeV2Contract = 59


class ResourceCode(IntEnum):
    """What stake is frozen for."""

    BANDWIDTH = 0
    ENERGY = 1
    TRON_POWER = 2


class PermissionType(IntEnum):
    """Which of an account's permissions this is."""

    Owner = 0
    Witness = 1
    Active = 2


@message
@dataclass(frozen=True, slots=True)
class TransferContract(Message):
    """Send `amount` sun."""

    owner_address: Address = tagged(1, ADDRESS)
    to_address: Address = tagged(2, ADDRESS)
    amount: int = tagged(3, INT64)


@message
@dataclass(frozen=True, slots=True)
class TriggerSmartContract(Message):
    """Call a contract with ABI-encoded `data`, sending `call_value` sun along."""

    owner_address: Address = tagged(1, ADDRESS)
    contract_address: Address = tagged(2, ADDRESS)
    call_value: int = tagged(3, INT64)
    data: bytes = tagged(4, BYTES)
    call_token_value: int = tagged(5, INT64)
    token_id: int = tagged(6, INT64)


@message
@dataclass(frozen=True, slots=True)
class FreezeBalanceV2Contract(Message):
    """Stake `frozen_balance` sun for a resource."""

    owner_address: Address = tagged(1, ADDRESS)
    frozen_balance: int = tagged(2, INT64)
    resource: ResourceCode = tagged(3, enumeration(ResourceCode))


@message
@dataclass(frozen=True, slots=True)
class UnfreezeBalanceV2Contract(Message):
    """Begin to unstake `unfreeze_balance` sun; it can be withdrawn after the chain's delay."""

    owner_address: Address = tagged(1, ADDRESS)
    unfreeze_balance: int = tagged(2, INT64)
    resource: ResourceCode = tagged(3, enumeration(ResourceCode))


@message
@dataclass(frozen=True, slots=True)
class WithdrawExpireUnfreezeContract(Message):
    """Withdraw all that has finished unfreezing."""

    owner_address: Address = tagged(1, ADDRESS)


@message
@dataclass(frozen=True, slots=True)
class CancelAllUnfreezeV2Contract(Message):
    """Stake again whatever is unfreezing, and withdraw what has finished."""

    owner_address: Address = tagged(1, ADDRESS)


@message
@dataclass(frozen=True, slots=True)
class DelegateResourceContract(Message):
    """Lend the resource of `balance` staked sun; with `lock` for `lock_period` blocks (of 3 s)."""

    owner_address: Address = tagged(1, ADDRESS)
    receiver_address: Address = tagged(4, ADDRESS)
    balance: int = tagged(3, INT64)
    resource: ResourceCode = tagged(2, enumeration(ResourceCode))
    lock: bool = tagged(5, BOOL)
    lock_period: int = tagged(6, INT64)


@message
@dataclass(frozen=True, slots=True)
class UnDelegateResourceContract(Message):
    """Take a lent resource back."""

    owner_address: Address = tagged(1, ADDRESS)
    receiver_address: Address = tagged(4, ADDRESS)
    balance: int = tagged(3, INT64)
    resource: ResourceCode = tagged(2, enumeration(ResourceCode))


@message
@dataclass(frozen=True, slots=True)
class Vote(Message):
    """`vote_count` votes (one for each staked TRX) for a super representative."""

    vote_address: Address = tagged(1, ADDRESS)
    vote_count: int = tagged(2, INT64)


@message
@dataclass(frozen=True, slots=True)
class VoteWitnessContract(Message):
    """Replace all votes of the owner; at most 30 are accepted by the chain."""

    owner_address: Address = tagged(1, ADDRESS)
    votes: tuple[Vote, ...] = repeated(2, nested(Vote))
    support: bool = tagged(3, BOOL)


@message
@dataclass(frozen=True, slots=True)
class WithdrawBalanceContract(Message):
    """Claim voting rewards."""

    owner_address: Address = tagged(1, ADDRESS)


@message
@dataclass(frozen=True, slots=True)
class Key(Message):
    """An address that counts `weight` towards a permission's threshold."""

    address: Address = tagged(1, ADDRESS)
    weight: int = tagged(2, INT64)


@message
@dataclass(frozen=True, slots=True)
class Permission(Message):
    """Who may sign. `operations` is 32 bytes, a bit for each contract type, and only for Active."""

    type: PermissionType = tagged(1, enumeration(PermissionType))
    id: int = tagged(2, INT32)
    permission_name: str = tagged(3, TEXT)
    threshold: int = tagged(4, INT64)
    parent_id: int = tagged(5, INT32)
    operations: bytes = tagged(6, BYTES)
    keys: tuple[Key, ...] = repeated(7, nested(Key))


@message
@dataclass(frozen=True, slots=True)
class AccountPermissionUpdateContract(Message):
    """Replace an account's permissions. A mistake here can lock an account for ever."""

    owner_address: Address = tagged(1, ADDRESS)
    owner: Permission | None = tagged(2, nested(Permission))
    witness: Permission | None = tagged(3, nested(Permission))
    actives: tuple[Permission, ...] = repeated(4, nested(Permission))


class EntryType(IntEnum):
    """What an ABI entry describes."""

    UnknownEntryType = 0
    Constructor = 1
    Function = 2
    Event = 3
    Fallback = 4
    Receive = 5
    Error = 6


class StateMutability(IntEnum):
    """What a function may do to the state."""

    UnknownMutabilityType = 0
    Pure = 1
    View = 2
    Nonpayable = 3
    Payable = 4


@message
@dataclass(frozen=True, slots=True)
class Param(Message):
    """An input or output of an ABI entry; TRON keeps no tuple components."""

    indexed: bool = tagged(1, BOOL)
    name: str = tagged(2, TEXT)
    type: str = tagged(3, TEXT)


@message
@dataclass(frozen=True, slots=True)
class Entry(Message):
    """One function, event, error or constructor of a contract."""

    anonymous: bool = tagged(1, BOOL)
    constant: bool = tagged(2, BOOL)
    name: str = tagged(3, TEXT)
    inputs: tuple[Param, ...] = repeated(4, nested(Param))
    outputs: tuple[Param, ...] = repeated(5, nested(Param))
    type: EntryType = tagged(6, enumeration(EntryType))
    payable: bool = tagged(7, BOOL)
    state_mutability: StateMutability = tagged(8, enumeration(StateMutability))


@message
@dataclass(frozen=True, slots=True)
class Abi(Message):
    """The interface stored with a contract."""

    entrys: tuple[Entry, ...] = repeated(1, nested(Entry))


@message
@dataclass(frozen=True, slots=True)
class SmartContract(Message):
    """A contract to be created. Percent is the share of energy that callers pay; limits are in energy."""

    origin_address: Address = tagged(1, ADDRESS)
    contract_address: Address | None = tagged(2, MAYBE_ADDRESS)
    abi: Abi | None = tagged(3, nested(Abi))
    bytecode: bytes = tagged(4, BYTES)
    call_value: int = tagged(5, INT64)
    consume_user_resource_percent: int = tagged(6, INT64)
    name: str = tagged(7, TEXT)
    origin_energy_limit: int = tagged(8, INT64)
    code_hash: bytes = tagged(9, BYTES)
    trx_hash: bytes = tagged(10, BYTES)
    version: int = tagged(11, INT32)


@message
@dataclass(frozen=True, slots=True)
class CreateSmartContract(Message):
    """Deploy `new_contract`."""

    owner_address: Address = tagged(1, ADDRESS)
    new_contract: SmartContract = tagged(2, nested(SmartContract, required=True))
    call_token_value: int = tagged(3, INT64)
    token_id: int = tagged(4, INT64)


Contract = (
    TransferContract
    | TriggerSmartContract
    | FreezeBalanceV2Contract
    | UnfreezeBalanceV2Contract
    | WithdrawExpireUnfreezeContract
    | CancelAllUnfreezeV2Contract
    | DelegateResourceContract
    | UnDelegateResourceContract
    | VoteWitnessContract
    | WithdrawBalanceContract
    | AccountPermissionUpdateContract
    | CreateSmartContract
)

CLASSES: dict[ContractType, type[Contract]] = {ContractType[cls.__name__]: cls for cls in Contract.__args__}
TYPES: dict[type[Contract], ContractType] = {cls: kind for kind, cls in CLASSES.items()}
