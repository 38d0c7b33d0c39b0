"""A router is paid through only if it is our contract, pays our token, and takes our orders."""

from pathlib import Path

import pytest
from builders import ALICE, BOB
from plane_chain import Network, open_store
from router_chain import OPERATOR, OWNER, hostile_token, rich_people, router_on

from lucid_kit.clock import ManualClock
from lucid_tron.client.errors import TooFewNodes
from lucid_tron.codec.address import Address
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import InvalidPayout
from lucid_tron.payouts.models import PayoutPolicy
from lucid_tron.payouts.payer import OtherPayer, RouterKind, RouterRefused, require_router
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.payouts.router import RouterClient
from lucid_tron.usdt.errors import NotPaid


@pytest.fixture
def network() -> Network:
    made = Network(2)
    rich_people(made.chain)
    return made


async def judged(
    network: Network, router: Address, kind: RouterKind = "v0", operator: Address = OPERATOR.address
) -> None:
    network.solidify()
    await require_router(network.client, router, kind, network.chain.usdt, operator)


async def test_our_router_is_taken(network: Network) -> None:
    await judged(network, router_on(network.chain).address)
    await judged(network, router_on(network.chain, name="KycPayoutRouter").address, "kyc")


async def test_an_attackers_contract_at_the_address_is_refused(network: Network) -> None:
    with pytest.raises(RouterRefused, match="running code"):
        await judged(network, hostile_token(network.chain))
    with pytest.raises(RouterRefused, match="There is no contract"):
        await judged(network, BOB.address)


async def test_a_router_without_attestations_is_not_taken_for_one_with(network: Network) -> None:
    with pytest.raises(RouterRefused):
        await judged(network, router_on(network.chain).address, "kyc")


async def test_a_router_of_another_token_is_refused(network: Network) -> None:
    other = router_on(network.chain, token=hostile_token(network.chain), funds=0)
    with pytest.raises(RouterRefused, match="pays"):
        await judged(network, other.address)


async def test_a_router_that_takes_another_ones_orders_is_refused_also_if_it_took_ours_once(
    network: Network,
) -> None:
    router = router_on(network.chain)
    with pytest.raises(RouterRefused, match="operator"):
        await judged(network, router.address, operator=ALICE.address)
    assert router.call(OWNER, "setOperator(address)", ALICE.address) == "SUCCESS"
    with pytest.raises(RouterRefused, match="operator"):
        await judged(network, router.address)
    await judged(network, router.address, operator=ALICE.address)


async def test_one_node_alone_cannot_vouch_for_a_router(network: Network) -> None:
    router = router_on(network.chain)
    network.solidify()
    network.nodes[1].faults.broken = -1
    with pytest.raises(TooFewNodes):
        await judged(network, router.address)


async def test_books_of_one_payer_are_not_held_against_another(network: Network, tmp_path: Path) -> None:
    documents = await open_store(tmp_path)
    book = Book(documents, ManualClock())
    await documents.ensure(*Book.collections)
    router = router_on(network.chain).address
    first = Reconciliation(book, router, network.usdt, network.client)
    await first.claim()
    await first.claim()
    assert (await ledger.newest(documents)).count == 1
    with pytest.raises(OtherPayer, match=str(router)):
        await Reconciliation(book, ALICE.address, network.usdt, network.client).claim()
    await documents.close()


async def test_with_a_router_deposits_are_to_it_and_it_is_paid_nothing(
    network: Network, tmp_path: Path
) -> None:
    documents = await open_store(tmp_path)
    book = Book(documents, ManualClock())
    await documents.ensure(*Book.collections)
    router = router_on(network.chain, funds=0)
    chain = network.chain
    transfers = [
        chain.invoke(chain.faucet, chain.usdt, "transfer(address,uint256)", to, 700)
        for to in (router.address, OPERATOR.address)
    ]
    network.solidify()
    books = Reconciliation(book, router.address, network.usdt, network.client)
    assert await books.fund(transfers[0].txid) == 700
    with pytest.raises(NotPaid, match="nothing that is solid"):
        await books.fund(transfers[1].txid)
    assert (await books.enforce(strict=True)).held == 700
    processor = PayoutProcessor(
        book,
        None,  # type: ignore[arg-type]
        "wal",
        OPERATOR.address,
        network.usdt,
        network.client,
        PayoutPolicy(10, 100, 10),
        router=RouterClient(network.client, network.usdt, router.address),
    )
    for ours in (router.address, OPERATOR.address, chain.usdt):
        with pytest.raises(InvalidPayout, match="payer or the token"):
            await processor.submit("pay_1", 1, str(ours), 5, "service")
    await documents.close()
