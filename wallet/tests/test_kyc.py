"""Only listed issuers vouch, for one router and a time; the newest word counts, here and on chain."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import ALICE, BOB, CAROL, a_transaction
from devnet_chain import Chain
from router_chain import OWNER, rich_people, router_on

from lucid_kit.clock import ManualClock
from lucid_kit.documents import open_documents
from lucid_proof.canonical import decode, encode
from lucid_proof.errors import MalformedRecord
from lucid_tron import abi
from lucid_tron.client.errors import CallReverted
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.devnet.evm import machine
from lucid_tron.devnet.state import Sheet
from lucid_tron.keys.signing import ORDER, PrivateKey
from lucid_tron.kyc.attestation import Attestation, SignedAttestation
from lucid_tron.kyc.errors import AttestationNotFound, AttestationRefused, MalformedAttestation
from lucid_tron.kyc.router import ATTEST, REVOKE, KycRouter
from lucid_tron.kyc.service import Attestations, Issuer
from lucid_tron.wallets.errors import CannotSign
from lucid_tron.wallets.reading import spends

ISSUER, JUNIOR = ALICE, PrivateKey((77).to_bytes(32, "big"))
ROUTER = Address.from_evm(bytes(range(20)))
NOW_MS = 1_767_225_600_000
YEAR_S = 365 * 86_400


def says(subject: Address = BOB.address, **changes: Any) -> Attestation:
    base = Attestation(subject, 1, NOW_MS // 1000 + YEAR_S, 1, 4242, ROUTER)
    return replace(base, **changes)


def signed(issuer: PrivateKey = ISSUER, **changes: Any) -> bytes:
    return says(**changes).sign(issuer).encoded()


@pytest.fixture
async def room(tmp_path: Path) -> Any:
    documents = await open_documents(f"sqlite:///{tmp_path}/kyc.db")
    clock = ManualClock(NOW_MS)
    issuers = (Issuer(ISSUER.address, 3), Issuer(JUNIOR.address, 1))
    made = Attestations(documents, clock, ROUTER, 4242, issuers)
    await made.prepare()
    yield made
    await documents.close()


async def test_an_attestation_counts_until_it_expires(room: Attestations) -> None:
    await room.take(signed())
    await room.take(signed())  # the same again
    found = await room.of(BOB.address)
    assert (found.attestation, found.issuer) == (says(), ISSUER.address)
    room._clock.advance(YEAR_S * 1000)  # type: ignore[attr-defined]
    with pytest.raises(AttestationNotFound):
        await room.of(BOB.address)


@pytest.mark.parametrize(
    "data",
    [
        signed(CAROL),
        signed(level=4),
        signed(JUNIOR, level=2),
        signed(expiry=NOW_MS // 1000),
        signed(chain_id=1),
        signed(router=CAROL.address),
    ],
)
async def test_what_is_not_for_here_now_or_by_an_issuer_is_refused(room: Attestations, data: bytes) -> None:
    with pytest.raises(AttestationRefused):
        await room.take(data)
    with pytest.raises(AttestationNotFound):
        await room.of(BOB.address)


async def test_an_altered_attestation_has_another_signer_and_a_twin_signature_is_refused(
    room: Attestations,
) -> None:
    good = says().sign(ISSUER)
    with pytest.raises(AttestationRefused):
        await room.take(replace(good, attestation=says(level=3)).encoded())
    s = ORDER - int.from_bytes(good.sig[32:64], "big")
    twin = good.sig[:32] + s.to_bytes(32, "big") + bytes((good.sig[64] ^ 7,))
    with pytest.raises(AttestationRefused):
        await room.take(replace(good, sig=twin).encoded())
    assert replace(good, sig=good.sig[:64] + bytes((good.sig[64] - 27,))).parts == good.parts


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.update(level=256),
        lambda file: file.update(nonce=0),
        lambda file: file.update(subject="T" * 34),
        lambda file: file.update(subject=BOB.address.hex()),
        lambda file: file.update(sig="00"),
        lambda file: file.update(name="Bob"),
        lambda file: file.update(format="x"),
    ],
)
async def test_an_attestation_out_of_form_is_malformed(room: Attestations, change: Any) -> None:
    document: Any = decode(signed())
    change(document)
    with pytest.raises(MalformedAttestation):
        await room.take(encode(document))
    with pytest.raises(MalformedAttestation):
        SignedAttestation.read(b" " * 20_000)
    with pytest.raises(MalformedRecord):
        says(chain_id=0)


async def test_a_later_attestation_replaces_and_an_earlier_one_cannot_come_back(room: Attestations) -> None:
    await room.take(signed(nonce=5))
    await room.take(signed(nonce=6, level=3))
    for nonce in (5, 6):
        with pytest.raises(AttestationRefused):
            await room.take(signed(nonce=nonce, level=2))
    assert (await room.of(BOB.address)).attestation.level == 3


async def test_a_revocation_ends_all_up_to_its_nonce(room: Attestations) -> None:
    await room.take(signed(nonce=5))
    with pytest.raises(AttestationRefused):
        await room.revoke(BOB.address, 5, CAROL.address)
    with pytest.raises(AttestationRefused):
        await room.revoke(BOB.address, 4, ISSUER.address)
    await room.revoke(BOB.address, 5, ISSUER.address)
    await room.revoke(BOB.address, 5, ISSUER.address)
    with pytest.raises(AttestationNotFound):
        await room.of(BOB.address)
    with pytest.raises(AttestationRefused):
        await room.take(signed(nonce=5))
    await room.revoke(BOB.address, 9, ISSUER.address)
    await room.take(signed(nonce=10))
    assert (await room.of(BOB.address)).attestation.nonce == 10


async def test_an_issuer_taken_off_the_list_takes_its_attestations_along(room: Attestations) -> None:
    await room.take(signed(JUNIOR))
    del room._issuers[JUNIOR.address]
    with pytest.raises(AttestationNotFound):
        await room.of(BOB.address)


# --- on chain ---


class OnChain:
    """The client's words, spoken to a chain in this process."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    async def call_agreed(self, _owner: Address, contract: Address, signature: str, data: bytes) -> bytes:
        outcome = machine.call(
            Sheet(self.chain.ledger.state),
            self.chain.ledger.context(),
            txid=bytes(32),
            caller=self.chain.owner,
            address=contract,
            data=abi.selector(signature) + data,
            value=0,
            energy=10**9,
        )
        if not outcome.succeeded:
            raise CallReverted("The contract reverts")
        return outcome.output


async def test_the_router_reads_back_what_was_attested_brought_and_revoked(room: Attestations) -> None:
    chain = Chain()
    rich_people(chain)
    deployed = router_on(chain, name="KycPayoutRouter")
    for signature, *values in (
        ("setIssuer(address,bool)", ISSUER.address, True),
        ("setLevelCap(uint8,uint256)", 1, 500),
    ):
        assert deployed.call(OWNER, signature, *values) == "SUCCESS"
    router = KycRouter(OnChain(chain), deployed.address)  # type: ignore[arg-type]
    expiry = chain.ledger.head.timestamp // 1000 + YEAR_S
    said = says(chain_id=chain.ledger.chain_id, router=deployed.address, expiry=expiry)
    room._router, room._chain_id = deployed.address, chain.ledger.chain_id
    room._clock.set_now_ms(chain.ledger.head.timestamp)  # type: ignore[attr-defined]
    await room.take(said.sign(ISSUER).encoded())
    assert await router.is_issuer(ISSUER.address)
    assert not await router.is_issuer(BOB.address)
    assert (await router.level(BOB.address), await router.allowance(BOB.address)) == (None, 0)
    (lacking,) = await room.lacking(router, [BOB.address, CAROL.address])
    call = (ATTEST, lacking.attestation.values(), *lacking.parts)
    assert deployed.call(OWNER, *call) == "SUCCESS"
    assert await room.lacking(router, [BOB.address]) == []
    assert (await router.level(BOB.address), await router.allowance(BOB.address)) == (1, 500)
    standing = await router.standing(BOB.address)
    assert (standing.issuer, standing.level, standing.nonce) == (ISSUER.address, 1, 1)
    assert deployed.pay((bytes(31) + b"\x01", BOB.address, 120)) == "SUCCESS"
    assert await router.allowance(BOB.address) == 380
    assert deployed.call(OWNER, REVOKE, BOB.address, 1) == "SUCCESS"
    assert await router.level(BOB.address) is None


def test_a_wallet_signs_attestations_and_revocations_as_calls_that_spend_nothing() -> None:
    good = says().sign(ISSUER)
    for signature, values in (
        (ATTEST, (good.attestation.values(), *good.parts)),
        (REVOKE, (BOB.address, 1)),
    ):
        data = abi.encode_call(signature, *values)
        assert spends(a_transaction(TriggerSmartContract(ALICE.address, ROUTER, data=data))) == {}
        for call in (
            TriggerSmartContract(ALICE.address, ROUTER, 1, data=data),
            TriggerSmartContract(ALICE.address, ROUTER, data=data + bytes(32)),
        ):
            with pytest.raises(CannotSign):
                spends(a_transaction(call))
