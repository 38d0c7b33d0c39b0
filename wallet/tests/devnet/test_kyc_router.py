"""The KYC router pays only whom a listed issuer attested, up to the level's cap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from devnet_chain import ALICE, BOB, CAROL, Chain, Person
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from router_chain import EPOCH_S, OPERATOR, OWNER, PAUSER, Router, payout_id, rich_people, router_on

from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import ORDER, PrivateKey
from lucid_tron.keys.typed_data import TypedData

ISSUER, OTHER_ISSUER = Person("issuer"), Person("another issuer")
ATTEST = "attest((address,uint8,uint64,uint64,uint256,address),uint8,bytes32,bytes32)"
FIELDS = (
    ("subject", "address"),
    ("level", "uint8"),
    ("expiry", "uint64"),
    ("nonce", "uint64"),
    ("chainId", "uint256"),
    ("router", "address"),
)
DAY_S = 86_400


@dataclass(frozen=True)
class Attestation:
    """What an issuer says of a subject, as TIP-712 data."""

    subject: Address
    level: int
    expiry: int
    nonce: int
    chain_id: int
    router: Address

    def values(self) -> tuple[Any, ...]:
        return (self.subject, self.level, self.expiry, self.nonce, self.chain_id, self.router)

    def signed(self, issuer: Person, domain_chain: int | None = None) -> tuple[int, bytes, bytes]:
        names = [name for name, _ in FIELDS]
        data = TypedData(
            domain={
                "name": "Lucid KYC Payout Router",
                "version": "1",
                "chainId": domain_chain or self.chain_id,
                "verifyingContract": self.router,
            },
            types={"Attestation": FIELDS},
            primary="Attestation",
            message=dict(zip(names, self.values(), strict=True)),
        )
        signature = data.sign(PrivateKey(issuer.key.secret))
        return signature[64], signature[:32], signature[32:64]


class Kyc:
    """A KYC router with one issuer, and levels 1 (500 an epoch) and 2 (2,000)."""

    def __init__(self) -> None:
        self.chain = Chain()
        rich_people(self.chain, ALICE, ISSUER)
        self.router: Router = router_on(self.chain, name="KycPayoutRouter", max_epoch=5_000)
        self.order("setIssuer(address,bool)", ISSUER.address, True)
        self.order("setLevelCap(uint8,uint256)", 1, 500)
        self.order("setLevelCap(uint8,uint256)", 2, 2_000)

    def order(self, signature: str, *values: Any) -> None:
        assert self.router.call(OWNER, signature, *values) == "SUCCESS"

    def says(self, subject: Person, level: int = 1, nonce: int = 1, **changes: Any) -> Attestation:
        expiry = self.chain.ledger.head.timestamp // 1000 + DAY_S
        base = Attestation(
            subject.address, level, expiry, nonce, self.chain.ledger.chain_id, self.router.address
        )
        return replace(base, **changes)

    def bring(self, attestation: Attestation, issuer: Person = ISSUER) -> str:
        return self.router.call(ALICE, ATTEST, attestation.values(), *attestation.signed(issuer))

    def pay(self, who: Person, name: object, amount: int = 100) -> str:
        return self.router.pay((payout_id(name), who.address, amount))


@pytest.fixture
def kyc() -> Kyc:
    return Kyc()


def test_only_the_attested_are_paid(kyc: Kyc) -> None:
    assert kyc.pay(BOB, 1) == "NotAttested"
    assert kyc.bring(kyc.says(BOB)) == "SUCCESS"
    assert kyc.pay(BOB, 1) == "SUCCESS"
    assert kyc.router.balance(BOB.address) == 100
    assert kyc.pay(CAROL, 2) == "NotAttested"


def test_the_digest_on_chain_is_tip_712s(kyc: Kyc) -> None:
    attestation = kyc.says(BOB)
    on_chain = kyc.chain.ask(
        kyc.router.address,
        "digestOf((address,uint8,uint64,uint64,uint256,address))",
        attestation.values(),
        returns="(bytes32)",
    )
    v, r, s = attestation.signed(ISSUER)
    from lucid_tron.keys.signing import recover

    assert recover(on_chain, r + s + bytes([v])) == ISSUER.address


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"chain_id": 1}, "WrongChain"),
        ({"router": ALICE.address}, "WrongRouter"),
        ({"expiry": 1}, "AttestationExpired"),
        ({"nonce": 0}, "StaleNonce"),
    ],
)
def test_an_attestation_for_elsewhere_or_another_time_is_refused(
    kyc: Kyc, change: dict[str, Any], error: str
) -> None:
    assert kyc.bring(kyc.says(BOB, **change)) == error


def test_a_changed_attestation_is_somebody_elses(kyc: Kyc) -> None:
    attestation = kyc.says(BOB)
    signature = attestation.signed(ISSUER)
    for forged in (
        replace(attestation, level=2),
        replace(attestation, subject=CAROL.address),
        replace(attestation, expiry=attestation.expiry + 1),
        replace(attestation, nonce=2),
    ):
        assert kyc.router.call(ALICE, ATTEST, forged.values(), *signature) == "UnknownIssuer"


def test_strangers_attest_nobody(kyc: Kyc) -> None:
    assert kyc.bring(kyc.says(BOB), issuer=ALICE) == "UnknownIssuer"


def test_a_signatures_twin_with_high_s_is_refused(kyc: Kyc) -> None:
    attestation = kyc.says(BOB)
    v, r, s = attestation.signed(ISSUER)
    twin = (55 - v, r, (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big"))
    assert kyc.router.call(ALICE, ATTEST, attestation.values(), *twin) == "BadSignature"
    assert kyc.router.call(ALICE, ATTEST, attestation.values(), v - 27, r, s) == "BadSignature"
    assert kyc.router.call(ALICE, ATTEST, attestation.values(), 27, bytes(32), s) == "BadSignature"


def test_an_attestation_counts_once_and_the_newest_wins(kyc: Kyc) -> None:
    first, second = kyc.says(BOB, level=1, nonce=1), kyc.says(BOB, level=2, nonce=2)
    assert kyc.bring(second) == "SUCCESS"
    assert kyc.bring(first) == "StaleNonce"
    assert kyc.bring(second) == "StaleNonce"
    attested, level = kyc.chain.ask(
        kyc.router.address, "levelOf(address)", BOB.address, returns="(bool,uint8)"
    )
    assert (attested, level) == (True, 2)


def test_an_attestation_ends_when_it_says(kyc: Kyc) -> None:
    kyc.bring(kyc.says(BOB))
    kyc.chain.ledger.advance(DAY_S * 1000)
    assert kyc.pay(BOB, 1) == "NotAttested"


def test_a_revoked_subject_is_not_paid_and_cannot_bring_the_old_one_again(kyc: Kyc) -> None:
    kyc.bring(kyc.says(BOB, nonce=5))
    revoke = "revoke(address,uint64)"
    assert kyc.router.call(ALICE, revoke, BOB.address, 9) == "UnknownIssuer"
    assert kyc.router.call(ISSUER, revoke, BOB.address, 4) == "StaleNonce"
    assert kyc.router.call(ISSUER, revoke, BOB.address, 5) == "SUCCESS"
    assert kyc.pay(BOB, 1) == "NotAttested"
    assert kyc.bring(kyc.says(BOB, nonce=5)) == "StaleNonce"
    assert kyc.bring(kyc.says(BOB, nonce=6)) == "SUCCESS"
    assert kyc.router.call(OWNER, revoke, BOB.address, 6) == "SUCCESS"


def test_issuers_rotate_and_a_removed_ones_word_no_longer_counts(kyc: Kyc) -> None:
    kyc.bring(kyc.says(BOB))
    kyc.order("setIssuer(address,bool)", OTHER_ISSUER.address, True)
    kyc.order("setIssuer(address,bool)", ISSUER.address, False)
    assert kyc.pay(BOB, 1) == "NotAttested"
    assert kyc.bring(kyc.says(BOB, nonce=2)) == "UnknownIssuer"
    assert kyc.bring(kyc.says(BOB, nonce=2), issuer=OTHER_ISSUER) == "SUCCESS"
    assert kyc.pay(BOB, 1) == "SUCCESS"
    nobody = Address(b"\x41" + bytes(20))
    assert kyc.router.call(OWNER, "setIssuer(address,bool)", nobody, True) == "ZeroAddress"


def test_a_level_caps_what_one_recipient_gets_in_an_epoch(kyc: Kyc) -> None:
    kyc.bring(kyc.says(BOB))
    assert kyc.pay(BOB, 1, 500) == "SUCCESS"
    assert kyc.pay(BOB, 2, 1) == "OverLevelCap"
    rows = [(payout_id(name), BOB.address, 300) for name in (3, 4)]
    kyc.chain.ledger.advance(EPOCH_S * 1000)
    kyc.bring(kyc.says(BOB, nonce=2))
    assert kyc.router.pay(*rows) == "OverLevelCap"
    assert kyc.pay(BOB, 2, 1) == "SUCCESS"


def test_a_level_without_a_cap_is_paid_nothing(kyc: Kyc) -> None:
    kyc.bring(kyc.says(BOB, level=7))
    assert kyc.pay(BOB, 1, 1) == "OverLevelCap"


@pytest.mark.parametrize(
    ("order", "values"),
    [("setIssuer(address,bool)", (ALICE.address, True)), ("setLevelCap(uint8,uint256)", (1, 5))],
)
def test_only_the_owner_makes_rules(kyc: Kyc, order: str, values: tuple[Any, ...]) -> None:
    for who in (OPERATOR, PAUSER, ISSUER):
        assert kyc.router.call(who, order, *values) == "NotOwner"


def test_what_the_plain_router_promises_holds_here_too(kyc: Kyc) -> None:
    kyc.bring(kyc.says(BOB, level=2))
    assert kyc.pay(BOB, 1) == "SUCCESS"
    assert kyc.pay(BOB, 1) == "AlreadyPaid"
    assert kyc.pay(BOB, 2, 1_001) == "OverPayoutCap"
    assert kyc.router.call(PAUSER, "pause()") == "SUCCESS"
    assert kyc.pay(BOB, 3) == "IsPaused"


SUBJECTS = [Person(f"subject {number}") for number in range(3)]


class KycMachine(RuleBasedStateMachine):
    """Nobody is ever paid more in an epoch than their level allowed, or anything without one."""

    @initialize()
    def deploy(self) -> None:
        self.kyc = Kyc()
        self.standing: dict[Person, tuple[int, int]] = {}  # level, expiry in s
        self.nonce = 0
        self.listed = True
        self.received: dict[tuple[int, Person], int] = {}
        self.paid = 0
        self.next_id = 0

    @rule(who=st.sampled_from(SUBJECTS), level=st.integers(0, 2), days=st.integers(0, 2))
    def attest(self, who: Person, level: int, days: int) -> None:
        self.nonce += 1
        attestation = self.kyc.says(who, level, self.nonce)
        attestation = replace(attestation, expiry=attestation.expiry + (days - 1) * DAY_S + 60)
        result = self.kyc.bring(attestation)
        assert (result == "SUCCESS") == self.listed, result
        if self.listed:
            self.standing[who] = (level, attestation.expiry)

    @rule(who=st.sampled_from(SUBJECTS))
    def revoke(self, who: Person) -> None:
        self.nonce += 1
        self.kyc.order("revoke(address,uint64)", who.address, self.nonce)
        self.standing.pop(who, None)

    @rule()
    def turn_the_issuer(self) -> None:
        self.listed = not self.listed
        self.kyc.order("setIssuer(address,bool)", ISSUER.address, self.listed)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.kyc.chain.ledger.advance(hours * 3_600_000)

    @rule(who=st.sampled_from(SUBJECTS), amount=st.integers(1, 700))
    def pay(self, who: Person, amount: int) -> None:
        self.next_id += 1
        result = self.kyc.pay(who, self.next_id, amount)
        now = self.kyc.chain.ledger.head.timestamp // 1000
        epoch = now // EPOCH_S
        level, expiry = self.standing.get(who, (0, 0))
        cap = {1: 500, 2: 2_000}.get(level, 0)
        before = self.received.get((epoch, who), 0)
        spent = sum(each for (number, _), each in self.received.items() if number == epoch)
        expected = (
            self.listed
            and expiry > now
            and before + amount <= cap
            and spent + amount <= 5_000
            and self.paid + amount <= 10_000
        )
        assert (result == "SUCCESS") == expected, result
        if expected:
            self.received[epoch, who] = before + amount
            self.paid += amount

    @invariant()
    def everyone_holds_what_was_counted(self) -> None:
        for who in SUBJECTS:
            counted = sum(each for (_, person), each in self.received.items() if person is who)
            assert self.kyc.router.balance(who.address) == counted


TestKyc = KycMachine.TestCase
TestKyc.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
