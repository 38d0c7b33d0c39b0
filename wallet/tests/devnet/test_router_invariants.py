"""Whatever happens to a payout router, in any order: nothing is paid twice, caps hold, the books balance."""

from __future__ import annotations

from typing import Any

from devnet_chain import Chain, Person
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from router_chain import EPOCH_S, OPERATOR, OWNER, PAUSER, Router, payout_id, rich_people, router_on

PEOPLE = [Person(f"recipient {number}") for number in range(4)]
STRANGER = Person("stranger")
NAMES = st.integers(0, 11)
PAYOUT = st.tuples(NAMES, st.sampled_from(PEOPLE), st.integers(0, 1_900))
FUNDS = 60_000
FEE_POINTS = 19


class RouterMachine(RuleBasedStateMachine):
    """A model that knows what was paid, beside the router on a chain."""

    @initialize()
    def deploy(self) -> None:
        self.chain = Chain()
        rich_people(self.chain, STRANGER)
        self.router: Router = router_on(self.chain, funds=FUNDS, max_payout=1_500, max_epoch=5_000)
        self.paid: dict[int, tuple[Person, int]] = {}
        self.spent: dict[int, int] = {}
        self.caps = (1_500, 5_000)
        self.paused = False
        self.token_paused = False
        self.fee = False
        self.rescued = 0

    def epoch(self) -> int:
        number: int = self.chain.ask(self.router.address, "currentEpoch()")
        return number

    def allowed(self, payouts: list[tuple[int, Person, int]]) -> bool:
        names = [name for name, _, _ in payouts]
        total = sum(amount for _, _, amount in payouts)
        return (
            bool(payouts)
            and not self.paused
            and not self.token_paused
            and not (self.fee and any(amount * FEE_POINTS // 10_000 for _, _, amount in payouts))
            and len(set(names)) == len(names)
            and not set(names) & set(self.paid)
            and all(0 < amount <= self.caps[0] for _, _, amount in payouts)
            and self.spent.get(self.epoch(), 0) + total <= self.caps[1]
            and total <= FUNDS - self.rescued - sum(amount for _, amount in self.paid.values())
        )

    @rule(payouts=st.lists(PAYOUT, max_size=5), who=st.sampled_from([OPERATOR] * 9 + [STRANGER]))
    def pay(self, payouts: list[tuple[int, Person, int]], who: Person) -> None:
        self.chain.now += 3_000  # the transaction's block is three seconds on, maybe in the next epoch
        self.chain.ledger.seal()
        expected = self.allowed(payouts) and who is OPERATOR
        epoch = self.epoch()
        rows = [(payout_id(name), person.address, amount) for name, person, amount in payouts]
        result = self.router.pay(*rows, who=who)
        assert (result == "SUCCESS") == expected, result
        if expected:
            self.paid |= {name: (person, amount) for name, person, amount in payouts}
            self.spent[epoch] = self.spent.get(epoch, 0) + sum(amount for _, _, amount in payouts)

    @rule(rows=st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(500, 1_500)), min_size=1, max_size=3))
    def pay_fresh_ids(self, rows: list[tuple[Person, int]]) -> None:
        """Mostly good batches, so that caps, fees and funds decide."""
        first = 100 + len(self.paid)
        self.pay([(first + place, person, amount) for place, (person, amount) in enumerate(rows)], OPERATOR)

    @rule(most=st.integers(0, 2_000), epoch=st.integers(0, 8_000))
    def set_caps(self, most: int, epoch: int) -> None:
        assert self.router.call(OWNER, "setCaps(uint256,uint256)", most, epoch) == "SUCCESS"
        self.caps = (most, epoch)

    @rule()
    def pause(self) -> None:
        assert self.router.call(PAUSER, "pause()") == "SUCCESS"
        self.paused = True

    @rule()
    def unpause(self) -> None:
        assert self.router.call(OWNER, "unpause()") == "SUCCESS"
        self.paused = False

    @rule()
    def let_an_epoch_pass(self) -> None:
        self.chain.ledger.advance(EPOCH_S * 1000)

    @rule()
    def turn_the_tokens_pause(self) -> None:
        order = "unpause()" if self.token_paused else "pause()"
        self.chain.invoke(self.chain.faucet, self.router.token, order)
        self.token_paused = not self.token_paused

    @rule()
    def turn_the_tokens_fee(self) -> None:
        points = 0 if self.fee else FEE_POINTS
        self.chain.invoke(self.chain.faucet, self.router.token, "setParams(uint256,uint256)", points, 40)
        self.fee = not self.fee

    @rule(amount=st.integers(1, 2_000))
    def rescue(self, amount: int) -> None:
        order: tuple[Any, ...] = (self.router.token, OWNER.address, amount)
        left = FUNDS - self.rescued - sum(each for _, each in self.paid.values())
        expected = self.paused and not self.token_paused and amount <= left
        result = self.router.call(OWNER, "rescue(address,address,uint256)", *order)
        assert (result == "SUCCESS") == expected, result
        if expected:
            self.rescued += amount

    @rule(depth=st.integers(1, 2))
    def fork(self, depth: int) -> None:
        """Transactions come back in the new blocks: nothing is paid twice and nothing is forgotten."""
        for _ in range(2):
            self.chain.ledger.seal()
        self.chain.ledger.reorganise(depth)

    @invariant()
    def everyone_holds_exactly_what_they_were_paid(self) -> None:
        for person in PEOPLE:
            owed = sum(amount for who, amount in self.paid.values() if who is person)
            assert self.router.balance(person.address) == owed

    @invariant()
    def the_router_holds_exactly_the_rest(self) -> None:
        spent = sum(amount for _, amount in self.paid.values())
        assert self.router.balance() == FUNDS - spent - self.rescued

    @invariant()
    def what_is_marked_paid_is_what_was_paid(self) -> None:
        for name in {*range(12), *self.paid, 100 + len(self.paid)}:
            assert self.router.is_paid(name) == (name in self.paid)

    @invariant()
    def the_router_counts_what_each_epoch_spent(self) -> None:
        for epoch, spent in self.spent.items():
            assert self.chain.ask(self.router.address, "spentInEpoch(uint256)", epoch) == spent


TestRouter = RouterMachine.TestCase
TestRouter.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failing run is short enough to read as it is
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
