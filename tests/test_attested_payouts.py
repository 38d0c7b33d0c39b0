"""A plane whose router pays only the attested: whoever is not waits, and holds up nobody."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from demo.plane import Person, Plane, until
from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.kyc.attestation import Attestation

pytestmark = pytest.mark.real

UNIT = 1_000_000
ISSUER = PrivateKey((4_242).to_bytes(32, "big"))
STRANGER = PrivateKey((666).to_bytes(32, "big"))
COUNT = 30


def payee(number: int) -> Address:
    return PrivateKey((5_000 + number).to_bytes(32, "big")).address


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    directory = tmp_path_factory.mktemp("attested")
    with Plane(
        directory / "data",
        directory / "up.log",
        LUCID_TRON_UP_ROUTER="kyc",
        LUCID_TRON_UP_ISSUERS=json.dumps({str(ISSUER.address): 2}),
        LUCID_TRON_UP_BLOCK_S="0.4",
        LUCID_TRON_UP_SOLID_LAG="2",
        LUCID_TRON_PAYOUTS_TICK_S="0.2",
    ) as started:
        yield started


@pytest.fixture(scope="module")
def operator(plane: Plane) -> Person:
    return plane.operator


def attested(plane: Plane, number: int, nonce: int = 1, issuer: PrivateKey = ISSUER, level: int = 1) -> bytes:
    said = Attestation(
        payee(number), level, int(time.time()) + 86_400, nonce, plane.chain_id, Address.parse(plane.router)
    )
    return said.sign(issuer).encoded()


def hand_in(plane: Plane, operator: Person, number: int, **said: Any) -> dict[str, Any]:
    answer: dict[str, Any] = operator.post(
        "payouts", "/payouts/kyc/attestations", content=attested(plane, number, **said)
    )
    return answer


def standing(operator: Person, number: int) -> dict[str, Any]:
    found: dict[str, Any] = operator.get("payouts", f"/payouts/kyc/{payee(number)}")
    return found


def counts(operator: Person, *numbers: int) -> None:
    for number in numbers:
        until(lambda each=number: standing(operator, each)["attested"] or None, within=90)


def ask(plane: Plane, operator: Person, *numbers: int, epoch: int = 1) -> None:
    carla = plane.person("carla", "tron:approve")
    wanted = [
        {
            "payout_id": f"pay-{epoch}-{number}",
            "epoch": epoch,
            "recipient": str(payee(number)),
            "amount": UNIT + number,
        }
        for number in numbers
    ]
    operator.post("payouts", "/payouts/batch", {"payouts": wanted})
    for each in wanted:
        carla.post("payouts", f"/payouts/{each['payout_id']}/approve")


def payout(operator: Person, number: int, epoch: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = operator.get("payouts", f"/payouts/pay-{epoch}-{number}")
    return found


def settled(operator: Person, *numbers: int, epoch: int = 1) -> None:
    until(
        lambda: all(payout(operator, each, epoch)["state"] == "settled" for each in numbers) or None,
        within=90,
    )


def waits(operator: Person, number: int, why: str, epoch: int = 1) -> None:
    def said() -> str | None:
        reason: str = payout(operator, number, epoch)["reason"] or ""
        return reason if why in reason else None

    until(said, within=60)
    assert payout(operator, number, epoch)["state"] == "approved"


def test_one_who_is_not_attested_waits_and_the_other_twenty_nine_are_paid(
    plane: Plane, operator: Person
) -> None:
    others = range(1, COUNT)
    for number in others:
        assert hand_in(plane, operator, number)["newest"]["kind"] == "attestation"
    counts(operator, *others)
    ask(plane, operator, 0, *others)
    settled(operator, *others)
    waits(operator, 0, f"{payee(0)} is not attested")
    hand_in(plane, operator, 0)
    settled(operator, 0)
    first = payout(operator, 0)
    assert first["reason"] is None
    books = operator.post("payouts", "/payouts/reconciliation")
    assert (books["missing"], books["surplus"]) == (0, 0)


def test_whoever_is_revoked_is_paid_no_more_at_once_and_then_by_the_router_too(
    plane: Plane, operator: Person
) -> None:
    hand_in(plane, operator, 40)
    counts(operator, 40)
    shown = operator.post("payouts", "/payouts/kyc/revocations", {"subject": str(payee(40))})
    assert (shown["attested"], shown["newest"]["kind"]) == (False, "revocation")
    assert "was revoked" in shown["why_not"]
    ask(plane, operator, 40, epoch=2)
    waits(operator, 40, f"The attestation of {payee(40)} was revoked", epoch=2)
    until(lambda: (standing(operator, 40)["bringing"] or {}).get("state") == "settled" or None, within=90)
    # The old attestation cannot come back; a new one can.
    refused = operator.ask(
        "POST", "payouts", "/payouts/kyc/attestations", content=attested(plane, 40, nonce=1)
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "LUCID_ERR_4840")
    hand_in(plane, operator, 40, nonce=2)
    settled(operator, 40, epoch=2)


def test_attestations_by_others_or_for_others_are_refused(plane: Plane, operator: Person) -> None:
    for content in (
        attested(plane, 50, issuer=STRANGER),
        attested(plane, 50, level=3),
        attested(plane, 50).replace(plane.router.encode(), plane.usdt.encode()),
    ):
        answer = operator.ask("POST", "payouts", "/payouts/kyc/attestations", content=content)
        assert (answer.status_code, answer.json()["code"]) == (409, "LUCID_ERR_4840"), answer.text
    assert operator.ask("POST", "payouts", "/payouts/kyc/attestations", content=b"{}").status_code == 422
    no_address = "T" + "1" * 33
    assert operator.ask("GET", "payouts", f"/payouts/kyc/{no_address}").status_code == 422
    wrong = {"subject": no_address}
    assert operator.ask("POST", "payouts", "/payouts/kyc/revocations", json=wrong).status_code == 422
    unknown = {"subject": str(payee(51))}
    assert operator.ask("POST", "payouts", "/payouts/kyc/revocations", json=unknown).status_code == 404
    assert standing(operator, 50)["why_not"] == f"{payee(50)} is not attested"


def test_who_may_only_read_attests_and_revokes_nobody(plane: Plane) -> None:
    reader = plane.person("reader", "tron:read")
    subject = {"subject": str(payee(1))}
    answers = [
        reader.ask("POST", "payouts", "/payouts/kyc/attestations", content=attested(plane, 1, nonce=9)),
        reader.ask("POST", "payouts", "/payouts/kyc/revocations", json=subject),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
