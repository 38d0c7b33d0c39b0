"""Only what a trusted log proves is paid, at the rate of its epoch, to who holds both keys, and once."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import ALICE, BOB
from hypothesis import given
from hypothesis import strategies as st

from lucid_kit import fault
from lucid_kit.clock import ManualClock
from lucid_kit.documents import Documents, open_documents
from lucid_proof.canonical import decode, encode
from lucid_proof.errors import MalformedRecord
from lucid_proof.testing import TestLog, a_key
from lucid_proof.tlogproof import TlogProof
from lucid_tron.codec.address import Address
from lucid_tron.keys.messages import sign_message
from lucid_tron.payouts.models import Payout
from lucid_tron.settlement import errors
from lucid_tron.settlement.bindings import Binding, SignedBinding
from lucid_tron.settlement.rates import RatePolicy, SignedRatePolicy
from lucid_tron.settlement.service import REBIND_DELAY_MS, STATEMENTS, Settlements
from lucid_tron.settlement.settle import payout_id, settle
from lucid_tron.settlement.statement import (
    Entitlement,
    SettlementRecord,
    Statement,
    read_statement,
    write_statement,
)
from lucid_tron.settlement.testing import (
    AUTHORITY,
    a_binding,
    a_policy,
    a_statement,
    operator,
    prove,
    statement_of,
    tron_key,
)

CREDITS = {"ann": 100, "bob": 250, "cleo": 7}


@pytest.fixture(scope="module")
def log() -> TestLog:
    return TestLog("lucid.local/settling")


@pytest.fixture(scope="module")
def statement(log: TestLog) -> bytes:
    return a_statement(log, 1, CREDITS)


class Room:
    """Settlements on a database of their own."""

    def __init__(self, log: TestLog, documents: Documents, clock: ManualClock) -> None:
        self.log, self.documents, self.clock = log, documents, clock
        self.settlements = Settlements(
            documents, clock, [log.policy()], frozenset([AUTHORITY]), frozenset([ALICE.address])
        )

    async def bind(self, *names: str, **changes: Any) -> None:
        for name in names:
            await self.settlements.bind(a_binding(self.log, name, self.clock.now_ms(), **changes))


@pytest.fixture
async def room(log: TestLog, tmp_path: Path) -> Any:
    documents = await open_documents(f"sqlite:///{tmp_path}/books.db")
    made = Room(log, documents, ManualClock())
    await made.settlements.prepare()
    await made.settlements.publish(a_policy(log))
    yield made
    await documents.close()


def altered(data: bytes, change: Any) -> bytes:
    document: Any = decode(data)
    change(document)
    return encode(document)


# --- what a statement proves ---


def test_a_statement_from_a_trusted_log_says_who_earned_what(log: TestLog, statement: bytes) -> None:
    proven = read_statement(statement, [log.policy()])
    assert {each.operator: each.credits for each in proven.statement.entitlements} == {
        operator(name): amount for name, amount in CREDITS.items()
    }
    assert (proven.statement.epoch, proven.statement.first_block, proven.statement.last_block) == (1, 10, 19)
    assert proven.statement.began_ms == log.headers[10].time_ms
    assert len(proven.signers) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["entitlements"][0].update(credits=9_999),
        lambda file: file["entitlements"].pop(),
        lambda file: file["entitlements"].append({"credits": 1, "operator": "ff" * 31 + "00"}),
        lambda file: file["leaf"]["body"].update(epoch=2),
        lambda file: file["leaf"]["body"].update(total_credits=1),
        lambda file: file["leaf"]["body"].update(count=2),
        lambda file: file["leaf"].update(sig="00" * 64),
        lambda file: file["leaf"].update(key="11" * 32),
        lambda file: file.update(proof=file["proof"].replace("index 2", "index 1", 1)),
    ],
)
def test_an_altered_statement_is_refused(log: TestLog, statement: bytes, change: Any) -> None:
    with pytest.raises(errors.StatementAltered):
        read_statement(altered(statement, change), [log.policy()])


def test_a_rightly_signed_statement_that_is_not_in_the_log_is_refused(log: TestLog, statement: bytes) -> None:
    forged = Statement(log.origin, 1, 10, 19, 0, (Entitlement(operator("eve"), 10**6),))
    record = SettlementRecord.sign(forged, a_key("validator"))

    def change(file: Any) -> None:
        file["leaf"] = record.to_json()
        file["entitlements"] = [each.to_json() for each in forged.entitlements]

    with pytest.raises(errors.StatementAltered):
        read_statement(altered(statement, change), [log.policy()])


@pytest.mark.parametrize("field", ["count", "total_credits", "root"])
def test_a_log_that_holds_a_false_sum_is_not_believed(field: str) -> None:
    log = TestLog("lucid.local/false")
    honest = statement_of(log, 1, CREDITS)
    body = honest.body() | {field: "00" * 32 if field == "root" else 1}
    record = SettlementRecord.sign(_Saying(honest, body), a_key("validator"))  # type: ignore[arg-type]
    index = log.tree.size
    log.block([record])  # type: ignore[list-item]
    proof = _proof(log, index)
    with pytest.raises(errors.StatementAltered):
        read_statement(write_statement(honest, record, proof), [log.policy()])


class _Saying:
    def __init__(self, statement: Statement, body: dict[str, Any]) -> None:
        self.origin, self._body = statement.origin, body

    def body(self) -> dict[str, Any]:
        return self._body


def _proof(log: TestLog, index: int) -> Any:
    return TlogProof(index, log.path(index), log.checkpoint())


def test_a_statement_of_another_chain_is_refused(statement: bytes) -> None:
    with pytest.raises(errors.UntrustedChain):
        read_statement(statement, [TestLog("lucid.local/other").policy()])
    with pytest.raises(errors.UntrustedChain):
        read_statement(statement, [])


def test_a_statement_of_a_log_of_the_same_name_and_other_keys_is_refused(statement: bytes) -> None:
    impostor = TestLog("lucid.local/settling", keys="other")
    with pytest.raises(errors.UntrustedChain):
        read_statement(a_statement(impostor, 1, CREDITS), [TestLog("lucid.local/settling").policy()])


def test_a_statement_with_too_few_cosignatures_is_refused(log: TestLog) -> None:
    lonely = TestLog(log.origin, witnesses=1)
    with pytest.raises(errors.UntrustedChain):
        read_statement(a_statement(lonely, 1, CREDITS), [log.policy(quorum=3)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"entitlements":[],"format":"lucid-settlement/1","leaf":{},"proof":1}',
        b"\xff",
        b"[" * 5000,
    ],
)
def test_what_is_no_statement_is_malformed(log: TestLog, data: bytes) -> None:
    with pytest.raises(errors.MalformedStatement):
        read_statement(data, [log.policy()])


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.update(proof=7),
        lambda file: file.update(proof="nonsense"),
        lambda file: file.update(entitlements={}),
        lambda file: file.update(format="lucid-settlement/2"),
        lambda file: file.update(more=1),
        lambda file: file["leaf"].update(kind="session.begin"),
        lambda file: file["leaf"].update(v=2),
        lambda file: file["leaf"]["body"].update(format="x"),
        lambda file: file["entitlements"][0].update(credits=0),
        lambda file: file["entitlements"][0].update(credits="7"),
        lambda file: file["entitlements"].reverse(),
        lambda file: file["entitlements"].insert(0, file["entitlements"][0]),
        lambda file: file["entitlements"][0].update(operator="00" * 32),
    ],
)
def test_a_statement_out_of_form_is_malformed(log: TestLog, statement: bytes, change: Any) -> None:
    with pytest.raises(errors.MalformedStatement):
        read_statement(altered(statement, change), [log.policy()])


def test_a_statement_that_is_too_large_or_not_canonical_is_malformed(
    log: TestLog, statement: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.MalformedStatement):
        read_statement(json.dumps(json.loads(statement)).encode(), [log.policy()])
    monkeypatch.setattr("lucid_tron.settlement.statement.MAX_FILE", 10)
    with pytest.raises(errors.MalformedStatement):
        read_statement(statement, [log.policy()])
    monkeypatch.setattr("lucid_tron.settlement.statement.MAX_ENTITLEMENTS", 1)
    with pytest.raises(MalformedRecord):
        statement_of(log, 1, CREDITS)


# --- what it comes to ---

OPERATORS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=8, unique=True)


@given(OPERATORS, st.data())
def test_every_unit_is_paid_held_or_left_over(keys: list[bytes], data: Any) -> None:
    amounts = {key: data.draw(st.integers(1, 10**9)) for key in keys}
    try:
        entitlements = tuple(Entitlement(key, amount) for key, amount in sorted(amounts.items()))
        found = Statement("lucid.local/x", 3, 30, 39, 5, entitlements)
    except MalformedRecord:  # a key of small order
        return
    policy = RatePolicy(
        "lucid.local/x",
        1,
        0,
        data.draw(st.integers(0, 10**5)),
        data.draw(st.integers(1, 10**5)),
        data.draw(st.integers(1, 10**6)),
    )
    bound = {key: BOB.address for key in keys if data.draw(st.booleans())}
    before = {key: data.draw(st.integers(1, 10**6)) for key in keys if data.draw(st.booleans())}
    result = settle(found, policy, bound, before)
    assert result.earned + result.brought == sum(each.amount for each in result.intents) + sum(
        result.held.values()
    )
    assert result.earned * policy.credits + result.remainder == found.total_credits * policy.units
    assert all(each.amount >= policy.minimum and each.operator in bound for each in result.intents)
    assert all(key not in bound or amount < policy.minimum for key, amount in result.held.items())
    for each in result.intents:
        Payout.read(each.id, each.epoch, str(each.recipient), each.amount, "settlement")


def test_a_payout_is_named_by_chain_epoch_and_operator_alone() -> None:
    named = payout_id("lucid.local/x", 1, b"a" * 32)
    assert named == "stl_2450b4ba83c5b60ea8ae3ec700da38418aafa359a12dd9f2dc94c878"
    others = {
        payout_id("lucid.local/y", 1, b"a" * 32),
        payout_id("lucid.local/x", 2, b"a" * 32),
        payout_id("lucid.local/x", 1, b"b" * 32),
    }
    assert len(others | {named}) == 4


def test_a_policy_of_another_chain_or_an_endless_amount_prices_nothing() -> None:
    found = Statement("lucid.local/x", 3, 30, 39, 5, (Entitlement(operator("ann"), 2**52),))
    with pytest.raises(errors.NoRatePolicy):
        settle(found, RatePolicy("lucid.local/y", 1, 0, 1, 1, 1), {})
    with pytest.raises(errors.TooMuchOwed):
        settle(found, RatePolicy("lucid.local/x", 1, 0, 100, 1, 1), {})
    with pytest.raises(errors.TooMuchOwed):
        settle(found, RatePolicy("lucid.local/x", 1, 0, 1, 1, 1), {}, {operator("bob"): 2**53 - 5})


# --- accepting ---


async def test_an_accepted_statement_asks_for_one_payout_an_operator(room: Room, statement: bytes) -> None:
    await room.bind("ann", "bob", "cleo")
    result = await room.settlements.accept(statement)
    asked = {each.operator: (each.amount, each.recipient) for each in result.intents}
    assert asked == {operator(n): (c * 1000, tron_key(n).address) for n, c in CREDITS.items()}
    assert await room.settlements.intents(room.log.origin, 1) == sorted(
        result.intents, key=lambda each: each.id
    )
    (kept,) = await room.settlements.accepted(room.log.origin)
    assert (kept["policy_version"], kept["earned"], kept["remainder"]) == (1, 357_000, 0)


async def test_a_replayed_statement_is_refused_and_changes_nothing(room: Room, statement: bytes) -> None:
    await room.bind("ann", "bob", "cleo")
    first = await room.settlements.accept(statement)
    with pytest.raises(errors.StatementReplayed):
        await room.settlements.accept(statement)
    assert len(await room.settlements.intents(room.log.origin, 1)) == len(first.intents)


async def test_many_who_hand_in_one_statement_at_once_have_it_accepted_once(
    room: Room, statement: bytes
) -> None:
    answers = await asyncio.gather(
        *(room.settlements.accept(statement) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, errors.StatementReplayed) for each in answers) == 4
    assert sum((await room.settlements.held(room.log.origin)).values()) == 357_000


@pytest.mark.parametrize(
    ("epoch", "first", "last"), [(1, 40, 49), (2, 19, 30), (2, 0, 9), (0, 5, 10), (0, 20, 29), (0, 0, 60)]
)
async def test_a_second_statement_for_an_epoch_or_a_block_is_refused(
    room: Room, statement: bytes, epoch: int, first: int, last: int
) -> None:
    await room.settlements.accept(statement)
    other = replace(statement_of(room.log, 6, {"ann": 5}), epoch=epoch, first_block=first, last_block=last)
    with pytest.raises(errors.OverlappingStatement):
        await room.settlements.accept(prove(room.log, other))
    assert len(await room.settlements.accepted(room.log.origin)) == 1


async def test_epochs_may_come_in_any_order(room: Room, statement: bytes) -> None:
    await room.settlements.accept(a_statement(room.log, 3, {"ann": 1}))
    await room.settlements.accept(statement)
    await room.settlements.accept(a_statement(room.log, 2, {"ann": 1}))
    assert [each["epoch"] for each in await room.settlements.accepted(room.log.origin)] == [1, 2, 3]


async def test_who_has_no_address_or_too_little_is_owed_until_they_can_be_paid(
    room: Room, statement: bytes
) -> None:
    await room.settlements.publish(a_policy(room.log, 2, from_ms=room.clock.now_ms() + 1, units=1, minimum=5))
    await room.bind("bob")
    await room.settlements.accept(statement)
    assert await room.settlements.held(room.log.origin) == {operator("ann"): 100_000, operator("cleo"): 7_000}
    await room.bind("ann")
    result = await room.settlements.accept(a_statement(room.log, 4, {"bob": 1}))
    assert {each.operator: each.amount for each in result.intents} == {
        operator("ann"): 100_000,
        operator("bob"): 1_000,
    }
    assert result.intents[0].id in {payout_id(room.log.origin, 4, operator(n)) for n in ("ann", "bob")}
    assert await room.settlements.held(room.log.origin) == {operator("cleo"): 7_000}


async def test_what_is_owed_to_an_address_that_became_the_payers_own_is_held_and_holds_up_nobody(
    room: Room, statement: bytes
) -> None:
    await room.bind("ann", "bob")
    router = (await room.settlements.addresses(room.log.origin))[operator("ann")]
    room.settlements._forbidden = frozenset({ALICE.address, router})
    result = await room.settlements.accept(statement)
    assert operator("ann") in result.held
    assert {each.operator for each in result.intents} == {operator("bob")}


async def test_an_unknown_settlement_is_not_found(room: Room) -> None:
    with pytest.raises(errors.SettlementNotFound):
        await room.settlements.intents(room.log.origin, 77)


class Till:
    """Takes payouts as the processor does, in several transactions, and dies after some."""

    def __init__(self, lives: int = 99) -> None:
        self.taken: dict[str, tuple[int, str, int]] = {}
        self.lives = lives

    async def submit_all(self, asked: Iterable[tuple[str, int, str, int]], who: str) -> int:
        for id_, *said in asked:
            if not self.lives:
                raise KeyboardInterrupt
            self.lives -= 1
            assert self.taken.setdefault(id_, tuple(said)) == tuple(said)
        return len(self.taken)


async def test_a_process_that_dies_while_it_asks_for_payouts_asks_for_the_rest_later(
    room: Room, statement: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.bind("ann", "bob", "cleo")
    await room.settlements.accept(statement)
    till = Till()

    def die(name: str) -> None:
        if name == "settlement-accepted":
            raise KeyboardInterrupt

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(KeyboardInterrupt):
        await room.settlements.submit(room.log.origin, 1, till, "settlement")
    monkeypatch.undo()
    assert till.taken == {}
    till.lives = 1
    with pytest.raises(KeyboardInterrupt):
        await room.settlements.submit(room.log.origin, 1, till, "settlement")
    till.lives = 99
    assert len(await room.settlements.submit(room.log.origin, 1, till, "settlement")) == 3
    assert sum(amount for _, _, amount in till.taken.values()) == 357_000


# --- rates ---


async def test_a_rate_changed_mid_epoch_counts_from_the_next_epoch(log: TestLog, tmp_path: Path) -> None:
    documents = await open_documents(f"sqlite:///{tmp_path}/books.db")
    clock = ManualClock(log.headers[15].time_ms)  # the middle of epoch 1, blocks 10 to 19
    room = Room(log, documents, clock)
    await room.settlements.prepare()
    await room.settlements.publish(a_policy(log))
    await room.settlements.publish(a_policy(log, 2, from_ms=clock.now_ms() + 1, units=9_000))
    for epoch, rate, version in ((1, 1_000, 1), (2, 9_000, 2)):
        result = await room.settlements.accept(a_statement(log, epoch, {"ann": 10}))
        assert result.earned == 10 * rate
        assert (await room.settlements.accepted(log.origin))[-1]["policy_version"] == version
    await documents.close()


async def test_a_rate_cannot_be_dated_back_skipped_or_said_twice_differently(room: Room) -> None:
    now, log = room.clock.now_ms(), room.log
    await room.settlements.publish(a_policy(log))  # the same again
    for refused in (
        a_policy(log, 1, units=2),
        a_policy(log, 2, from_ms=now),
        a_policy(log, 3, from_ms=now + 1),
    ):
        with pytest.raises(errors.RatePolicyRefused):
            await room.settlements.publish(refused)
    await room.settlements.publish(a_policy(log, 2, from_ms=now + 5))
    with pytest.raises(errors.RatePolicyRefused):
        await room.settlements.publish(a_policy(log, 3, from_ms=now + 5))
    assert (await room.settlements.policy_at(log.origin, now + 4)).version == 1
    assert (await room.settlements.policy_at(log.origin, now + 5)).version == 2


async def test_a_rate_by_a_stranger_or_altered_is_refused(room: Room) -> None:
    policy = RatePolicy(room.log.origin, 2, room.clock.now_ms() + 5, 1, 1, 1)
    with pytest.raises(errors.RatePolicyRefused):
        await room.settlements.publish(SignedRatePolicy.sign(policy, a_key("eve")).encoded())
    signed = SignedRatePolicy.sign(policy, a_key("rates"))
    with pytest.raises(errors.RatePolicyRefused):
        await room.settlements.publish(replace(signed, policy=replace(policy, units=2)).encoded())
    for bad in (b"{}", b"x" * 70_000, altered(signed.encoded(), lambda f: f["policy"].update(credits=0))):
        with pytest.raises(errors.MalformedRatePolicy):
            await room.settlements.publish(bad)
    elsewhere = replace(policy, origin="lucid.local/other", version=1)
    with pytest.raises(errors.UntrustedChain):
        await room.settlements.publish(SignedRatePolicy.sign(elsewhere, a_key("rates")).encoded())


async def test_without_a_rate_in_force_nothing_is_priced(
    log: TestLog, tmp_path: Path, statement: bytes
) -> None:
    documents = await open_documents(f"sqlite:///{tmp_path}/books.db")
    room = Room(log, documents, ManualClock())
    await room.settlements.prepare()
    with pytest.raises(errors.NoRatePolicy):
        await room.settlements.accept(statement)
    assert await documents.count(STATEMENTS.name) == 0
    await documents.close()


# --- addresses ---


async def test_a_new_address_counts_a_day_after_it_was_bound(room: Room) -> None:
    await room.bind("ann")
    other = tron_key("ann's other")
    await room.bind("ann", nonce=2, key=other)
    assert (await room.settlements.addresses(room.log.origin))[operator("ann")] == tron_key("ann").address
    room.clock.advance(REBIND_DELAY_MS)
    assert (await room.settlements.addresses(room.log.origin))[operator("ann")] == other.address


async def test_an_owner_whose_operator_key_was_stolen_can_bind_back_in_time(room: Room) -> None:
    await room.bind("ann")
    await room.bind("ann", nonce=2, key=tron_key("thief"))
    room.clock.advance(REBIND_DELAY_MS - 1)
    await room.bind("ann", nonce=3)
    for wait in (0, 1, REBIND_DELAY_MS):
        room.clock.advance(wait)
        assert (await room.settlements.addresses(room.log.origin))[operator("ann")] == tron_key("ann").address


async def test_an_old_binding_cannot_be_replayed(room: Room) -> None:
    first = a_binding(room.log, "ann", room.clock.now_ms())
    await room.settlements.bind(first)
    await room.settlements.bind(first)  # the same again is no change
    await room.bind("ann", nonce=2, key=tron_key("ann's other"))
    with pytest.raises(errors.BindingRefused):
        await room.settlements.bind(first)


async def test_a_binding_needs_both_keys_in_time_and_a_stranger_s_address(room: Room) -> None:
    now = room.clock.now_ms()
    binding = Binding(room.log.origin, operator("ann"), tron_key("ann").address, 1, now + 1000)
    good = SignedBinding.sign(binding, a_key("operator ann"), tron_key("ann"))
    eve = SignedBinding.sign(binding, a_key("operator eve"), tron_key("eve"))
    late = SignedBinding.sign(replace(binding, expires_ms=now), a_key("operator ann"), tron_key("ann"))
    ours = replace(binding, address=ALICE.address)
    far = replace(binding, expires_ms=now + 8 * 86_400_000)
    unlow = good.tron_sig[:32] + b"\xff" * 32 + good.tron_sig[64:]
    refused = [
        replace(good, operator_sig=eve.operator_sig),
        replace(good, tron_sig=eve.tron_sig),
        replace(good, tron_sig=sign_message(tron_key("ann"), "Lucid payouts")),
        replace(good, tron_sig=unlow),
        replace(good, binding=replace(binding, nonce=2)),
        late,
        SignedBinding.sign(ours, a_key("operator ann"), ALICE),
        SignedBinding.sign(far, a_key("operator ann"), tron_key("ann")),
    ]
    for each in refused:
        with pytest.raises(errors.BindingRefused):
            await room.settlements.bind(each.encoded())
    assert await room.settlements.addresses(room.log.origin) == {}
    other = replace(binding, origin="lucid.local/other")
    with pytest.raises(errors.UntrustedChain):
        await room.settlements.bind(
            SignedBinding.sign(other, a_key("operator ann"), tron_key("ann")).encoded()
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["binding"].update(address="TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdh"),
        lambda file: file["binding"].update(address=Address.parse(str(BOB.address)).hex()),
        lambda file: file["binding"].update(operator="00" * 32),
        lambda file: file["binding"].update(nonce=0),
        lambda file: file.update(tron_sig="00"),
    ],
)
async def test_a_binding_out_of_form_is_malformed(room: Room, change: Any) -> None:
    good = a_binding(room.log, "ann", room.clock.now_ms())
    with pytest.raises(errors.MalformedBinding):
        await room.settlements.bind(altered(good, change))
    with pytest.raises(errors.MalformedBinding):
        await room.settlements.bind(b" " * 20_000)


def test_the_text_a_hardware_wallet_signs_is_short_ascii() -> None:
    binding = Binding("lucid.local/" + "x" * 200, operator("ann"), BOB.address, 2**53 - 1, 2**53 - 1)
    assert binding.tron_message().isascii()
    assert len(binding.tron_message()) == 163
