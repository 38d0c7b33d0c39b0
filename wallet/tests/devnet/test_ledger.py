"""Blocks, solidification, forks, time, permissions."""

from __future__ import annotations

from hashlib import sha256

import coincurve
import pytest
from devnet_chain import ALICE, BOB, CAROL, DAVE, TRANSFER, Chain

from lucid_tron.codec import contracts as c
from lucid_tron.codec import wire
from lucid_tron.codec.address import Address
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import SUN, Account, Resource
from lucid_tron.devnet.blocks import ZERO_HASH, _RawHeader, merkle_root
from lucid_tron.devnet.ledger import Refused


@pytest.fixture
def chain() -> Chain:
    chain = Chain(options={"solid_lag": 3})
    chain.give(ALICE.address, trx=1_000 * SUN)
    return chain


def order(amount: int = 5) -> c.TransferContract:
    return c.TransferContract(ALICE.address, BOB.address, amount)


def test_a_block_id_is_its_number_and_the_hash_of_its_header(chain: Chain) -> None:
    for block, parent in zip(chain.ledger.blocks[1:], chain.ledger.blocks, strict=False):
        header = wire.encode(
            _RawHeader(block.timestamp, block.tx_root, parent.id, block.number, bytes(block.witness), 31)
        )
        digest = sha256(header).digest()
        assert block.id == block.number.to_bytes(8, "big") + digest[8:]
        key = coincurve.PublicKey.from_signature_and_message(block.signature, digest, hasher=None)
        assert Address.of_public_key(key.format(compressed=False)) == block.witness


def test_the_merkle_root_carries_an_odd_leaf_up() -> None:
    a, b, d = (sha256(bytes([i])).digest() for i in range(3))
    assert merkle_root([]) == ZERO_HASH
    assert merkle_root([a]) == a
    assert merkle_root([a, b, d]) == sha256(sha256(a + b).digest() + d).digest()


def test_a_block_is_solid_once_enough_follow_it(chain: Chain) -> None:
    entry = chain.send(order(), ALICE.key)
    number = chain.ledger.head.number
    while chain.ledger.solid.number < number:
        assert accounts.account(chain.ledger.state_at(chain.ledger.solid.number), BOB.address) is None
        chain.ledger.seal()
    assert chain.ledger.head.number == number + 3
    assert chain.ledger.find(entry.txid)
    assert accounts.account(chain.ledger.state_at(number), BOB.address) is not None


def test_a_chain_that_has_just_begun_is_solid_at_genesis() -> None:
    assert Chain().ledger.solid.number == 0


def test_the_clock_of_blocks_made_on_demand_never_stands_still(chain: Chain) -> None:
    first, second = chain.ledger.seal(), chain.ledger.seal()
    assert second.timestamp == first.timestamp + 1


def test_blocks_made_at_an_interval_stand_in_its_slots() -> None:
    chain = Chain(options={"interval_ms": 3_000})
    before = chain.ledger.head.timestamp
    chain.ledger.broadcast(chain.signed(c.TransferContract(chain.owner, ALICE.address, 5), chain.faucet))
    assert chain.ledger.pending()
    block = chain.ledger.seal()
    assert block.timestamp % 3_000 == 0
    assert block.timestamp == before + 3_000


def test_advancing_seals_what_waits_first(chain: Chain) -> None:
    chain.ledger.broadcast(chain.signed(order(), ALICE.key))
    number = chain.ledger.head.number
    head = chain.ledger.advance(3_600_000)
    assert (head.number, len(chain.ledger.blocks[number + 1].entries)) == (number + 2, 1)
    assert head.timestamp >= chain.ledger.blocks[number + 1].timestamp + 3_500_000


# -- forks


def test_a_fork_replaces_blocks_and_carries_their_transactions_out_again(chain: Chain) -> None:
    signed = chain.signed(order(), ALICE.key)
    chain.ledger.broadcast(signed)
    chain.ledger.seal()
    old = chain.ledger.head
    gone = chain.ledger.reorganise(1)
    assert gone == [signed.txid]
    assert chain.ledger.head.number == old.number + 1
    assert chain.ledger.blocks[old.number].id != old.id
    place = chain.ledger.find(signed.txid)
    assert place is not None
    assert place[0].number == old.number
    assert chain.account(BOB.address).balance == 5


def test_a_fork_can_lose_a_transaction_for_good(chain: Chain) -> None:
    entry = chain.send(order(), ALICE.key)
    before = chain.ledger.blocks[-2].number
    chain.ledger.reorganise(1, lose=True)
    assert chain.ledger.find(entry.txid) is None
    assert accounts.account(chain.ledger.state, BOB.address) is None
    assert chain.ledger.blocks[before].number == before


def test_a_fork_can_bring_a_transaction_later(chain: Chain) -> None:
    chain.ledger.seal()
    signed = chain.signed(order(), ALICE.key)
    chain.ledger.broadcast(signed)
    old = chain.ledger.seal()
    chain.ledger.reorganise(1, later=True)
    assert chain.ledger.find(signed.txid) is None
    assert [entry.txid for entry in chain.ledger.pending()] == [signed.txid]
    chain.ledger.seal()
    place = chain.ledger.find(signed.txid)
    assert place is not None
    assert place[0].number > old.number


def test_a_transaction_that_refers_to_a_lost_block_is_lost_with_it(chain: Chain) -> None:
    first = chain.send(order(1), ALICE.key)
    second = chain.send(order(2), ALICE.key)  # refers to the block of `first`
    chain.ledger.reorganise(2)
    assert chain.ledger.find(first.txid)
    assert chain.ledger.find(second.txid) is None


def test_a_solid_block_is_never_replaced(chain: Chain) -> None:
    for _ in range(5):
        chain.ledger.seal()
    solid = chain.ledger.solid
    chain.ledger.reorganise(100)
    assert chain.ledger.blocks[solid.number].id == solid.id


def test_a_fork_takes_contract_storage_back(chain: Chain) -> None:
    chain.give(ALICE.address, usdt=9)
    chain.ledger.reorganise(1, lose=True)
    assert chain.usdt_of(ALICE.address) == 0


def test_waiting_transactions_survive_a_fork(chain: Chain) -> None:
    chain.ledger.seal()
    signed = chain.signed(
        order(),
        ALICE.key,
        ref_block_bytes=chain.ledger.solid.id[6:8],
        ref_block_hash=chain.ledger.solid.id[8:16],
    )
    chain.ledger.broadcast(signed)
    chain.ledger.reorganise(1)
    assert chain.ledger.find(signed.txid)


# -- permissions

OPERATIONS = bytes.fromhex("7fff1fc0033e0000" + "00" * 24)
TRANSFERS_ONLY = bytes([1 << 1]) + bytes(31)


def keys(*people: Address) -> tuple[c.Key, ...]:
    return tuple(c.Key(each, 1) for each in people)


def shared(threshold: int = 2, operations: bytes = OPERATIONS) -> c.AccountPermissionUpdateContract:
    return c.AccountPermissionUpdateContract(
        ALICE.address,
        c.Permission(c.PermissionType.Owner, permission_name="owner", threshold=1, keys=keys(ALICE.address)),
        actives=(
            c.Permission(
                c.PermissionType.Active,
                permission_name="payouts",
                threshold=threshold,
                operations=operations,
                keys=keys(BOB.address, CAROL.address),
            ),
        ),
    )


def test_an_active_permission_needs_its_threshold(chain: Chain) -> None:
    assert chain.send(shared(), ALICE.key).fee == 100 * SUN
    with pytest.raises(Refused) as caught:
        chain.send(order(), BOB.key, permission_id=2)
    assert caught.value.code == "SIGERROR"
    entry = chain.send(order(), BOB.key, CAROL.key, permission_id=2)
    assert entry.fee == SUN + 1_100_000  # one TRX for more than one signature
    assert chain.account(BOB.address).balance == 5


def test_the_active_keys_are_not_the_owners(chain: Chain) -> None:
    chain.send(shared(1), ALICE.key)
    for permission, person in ((0, BOB), (2, ALICE), (2, DAVE), (3, BOB)):
        with pytest.raises(Refused, match="permission"):
            chain.send(order(), person.key, permission_id=permission)


def test_one_signer_counts_once(chain: Chain) -> None:
    chain.send(shared(), ALICE.key)
    with pytest.raises(Refused, match="signed twice"):
        chain.send(order(), BOB.key, BOB.key, permission_id=2)


def test_an_active_permission_covers_only_its_operations(chain: Chain) -> None:
    chain.send(shared(1, TRANSFERS_ONLY), ALICE.key)
    assert chain.send(order(), BOB.key, permission_id=2).effect.result == "SUCCESS"
    freeze = c.FreezeBalanceV2Contract(ALICE.address, SUN, c.ResourceCode.ENERGY)
    with pytest.raises(Refused, match="Permission denied"):
        chain.send(freeze, BOB.key, permission_id=2)


def broken(**changes: object) -> c.AccountPermissionUpdateContract:
    from dataclasses import replace

    good = shared()
    return replace(good, actives=(replace(good.actives[0], **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (c.AccountPermissionUpdateContract(ALICE.address), "owner permission is missed"),
        (c.AccountPermissionUpdateContract(ALICE.address, shared().owner), "active permission is missed"),
        (
            c.AccountPermissionUpdateContract(
                ALICE.address, shared().owner, shared().owner, shared().actives
            ),
            "account isn't witness",
        ),
        (
            c.AccountPermissionUpdateContract(ALICE.address, shared().owner, None, shared().actives * 9),
            "active permission is too many",
        ),
        (broken(type=c.PermissionType.Owner), "active permission type is error"),
        (broken(keys=()), "key's count should be greater than 0"),
        (broken(keys=keys(*(Address(b"\x41" + bytes([i]) * 20) for i in range(6)))), "number of keys"),
        (broken(threshold=0), "permission's threshold should be greater than 0"),
        (broken(threshold=3), "sum of all key's weight"),
        (broken(permission_name="n" * 33), "permission's name is too long"),
        (broken(parent_id=1), "permission's parent should be owner"),
        (broken(keys=keys(BOB.address, BOB.address)), "address should be distinct"),
        (broken(keys=(c.Key(BOB.address, 0), c.Key(CAROL.address, 5))), "key's weight should be greater"),
        (broken(operations=b"\x01"), "operations size must 32"),
    ],
)
def test_senseless_permissions_are_refused(
    chain: Chain, update: c.AccountPermissionUpdateContract, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        chain.send(update, ALICE.key)


def test_permissions_cost_more_than_a_poor_account_has(chain: Chain) -> None:
    chain.give(BOB.address, trx=SUN)
    from dataclasses import replace

    with pytest.raises(Refused, match="insufficient balance"):
        chain.send(replace(shared(), owner_address=BOB.address), BOB.key)


def test_usdt_can_be_spent_by_an_active_permission(chain: Chain) -> None:
    chain.give(ALICE.address, trx=1_000 * SUN, usdt=9)
    chain.send(shared(1), ALICE.key)
    from lucid_tron import abi

    call = c.TriggerSmartContract(ALICE.address, chain.usdt, data=abi.encode_call(TRANSFER, DAVE.address, 4))
    assert chain.send(call, CAROL.key, permission_id=2).effect.result == "SUCCESS"
    assert chain.usdt_of(DAVE.address) == 4


def test_an_account_yields_nothing_without_a_stake(chain: Chain) -> None:
    assert Account(ALICE.address).weighed(Resource.ENERGY) == 0
