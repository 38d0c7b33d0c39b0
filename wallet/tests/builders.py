"""Valid things to break one piece of: transactions, contracts, keys."""

from typing import Any

from hypothesis import strategies as st

from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import (
    Abi,
    AccountPermissionUpdateContract,
    CancelAllUnfreezeV2Contract,
    Contract,
    CreateSmartContract,
    DelegateResourceContract,
    Entry,
    EntryType,
    FreezeBalanceV2Contract,
    Key,
    Param,
    Permission,
    PermissionType,
    ResourceCode,
    SmartContract,
    StateMutability,
    TransferContract,
    TriggerSmartContract,
    UnDelegateResourceContract,
    UnfreezeBalanceV2Contract,
    Vote,
    VoteWitnessContract,
    WithdrawBalanceContract,
    WithdrawExpireUnfreezeContract,
)
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.keys.signing import PrivateKey

ALICE = PrivateKey((1).to_bytes(32, "big"))
BOB = PrivateKey((2).to_bytes(32, "big"))
CAROL = PrivateKey((3).to_bytes(32, "big"))
USDT = Address.parse("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")


def a_transfer(**changes: Any) -> TransferContract:
    return TransferContract(
        **{"owner_address": ALICE.address, "to_address": BOB.address, "amount": 1_000_000} | changes
    )


def a_transaction(contract: Contract | None = None, **changes: Any) -> RawTransaction:
    fields: dict[str, Any] = {
        "ref_block_bytes": bytes.fromhex("3039"),
        "ref_block_hash": bytes.fromhex("89c5b1d4a3f0e267"),
        "expiration": 1_800_000_060_000,
        "timestamp": 1_800_000_000_000,
        "contracts": (contract or a_transfer(),),
    }
    return RawTransaction(**fields | changes)


addresses = st.binary(min_size=20, max_size=20).map(Address.from_evm)
digests = st.binary(min_size=32, max_size=32)
keys = st.integers(1, 2**200).map(lambda number: PrivateKey(number.to_bytes(32, "big")))


def contracts(top: int = 2**63 - 1, *, every_field: bool = True) -> st.SearchStrategy[Contract]:
    """Any contract with amounts up to `top`; without `every_field` only those that tronweb writes."""
    amounts = st.integers(0, top)
    small = st.integers(0, 2**31 - 1)
    text = st.text(st.characters(codec="utf-8"), max_size=12)
    rare = st.booleans() if every_field else st.just(False)
    unused = small if every_field else st.just(0)
    resources = st.sampled_from(ResourceCode)
    params = st.builds(Param, st.booleans(), text, st.sampled_from(("address", "uint256", "bytes32[]")))
    entries = st.builds(
        Entry,
        st.booleans(),
        st.booleans(),
        text,
        st.lists(params, max_size=3).map(tuple),
        st.lists(params, max_size=2).map(tuple),
        st.sampled_from(EntryType),
        st.booleans(),
        st.sampled_from(StateMutability),
    )
    permissions = st.builds(
        Permission,
        st.sampled_from(PermissionType),
        small,
        text,
        amounts,
        unused,
        st.one_of(st.just(b""), digests),
        st.lists(st.builds(Key, addresses, amounts), max_size=5).map(tuple),
    )
    deployed = st.builds(
        SmartContract,
        addresses,
        st.one_of(st.none(), addresses) if every_field else st.none(),
        st.builds(Abi, st.lists(entries, max_size=4).map(tuple)),
        st.binary(max_size=300),
        amounts,
        st.integers(0, 100),
        text,
        amounts,
        st.binary(max_size=32) if every_field else st.just(b""),
        st.binary(max_size=32) if every_field else st.just(b""),
        unused,
    )
    return st.one_of(
        st.builds(TransferContract, addresses, addresses, amounts),
        st.builds(
            TriggerSmartContract, addresses, addresses, amounts, st.binary(max_size=200), amounts, amounts
        ),
        st.builds(FreezeBalanceV2Contract, addresses, amounts, resources),
        st.builds(UnfreezeBalanceV2Contract, addresses, amounts, resources),
        st.builds(WithdrawExpireUnfreezeContract, addresses),
        st.builds(CancelAllUnfreezeV2Contract, addresses),
        st.builds(DelegateResourceContract, addresses, addresses, amounts, resources, st.booleans(), amounts),
        st.builds(UnDelegateResourceContract, addresses, addresses, amounts, resources),
        st.builds(
            VoteWitnessContract,
            addresses,
            st.lists(st.builds(Vote, addresses, amounts), max_size=30).map(tuple),
            rare,
        ),
        st.builds(WithdrawBalanceContract, addresses),
        st.builds(
            AccountPermissionUpdateContract,
            addresses,
            st.one_of(st.none(), permissions),
            st.one_of(st.none(), permissions),
            st.lists(permissions, max_size=3).map(tuple),
        ),
        st.builds(CreateSmartContract, addresses, deployed, amounts, amounts),
    )


def transactions(top: int = 2**63 - 1, *, every_field: bool = True) -> st.SearchStrategy[RawTransaction]:
    amounts = st.integers(0, top)
    return st.builds(
        RawTransaction,
        st.binary(min_size=2, max_size=2),
        st.binary(min_size=8, max_size=8),
        amounts,
        amounts,
        contracts(top, every_field=every_field).map(lambda contract: (contract,)),
        amounts,
        st.binary(max_size=200),
        st.integers(0, 9),
    )
