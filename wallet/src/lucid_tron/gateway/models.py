"""What a payment is, and the states it walks through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from lucid_kit.documents import Collection, Index
from lucid_tron.codec.address import Address
from lucid_tron.gateway.errors import InvalidPayment, InvalidWebhookUrl

PaymentState = Literal["open", "partial", "paid", "overpaid", "underpaid", "expired", "late"]
"""
open       nothing is credited yet
partial    less than asked for is credited, and there is time left
paid       exactly what was asked for was credited in time
overpaid   more was credited: give the rest back
underpaid  time is over and too little came: give it back, or accept it
expired    time is over and nothing came
late       money came after the time was over: give it back, or accept it
"""
WAITING: tuple[PaymentState, ...] = ("open", "partial")
PAYMENTS = Collection(
    "payments", Index("state", "expires_ms"), Index("reference", unique=True), Index("refunding")
)
MAX_UNITS = (1 << 53) - 1
_REFERENCE = re.compile(r"[\x21-\x7e]{1,128}")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MAX_METADATA = 4_096


@dataclass(frozen=True, slots=True)
class Refund:
    """Units on their way back. `payout` is the id under which the payout processor pays them, once."""

    id: str
    recipient: str
    amount: int
    payout: str
    asked_by: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """An invoice: `amount` units to `address` until `expires_ms` (chain time, ms UTC).

    `received` units came in time, `late` after it, both solid. `version` counts changes and is what
    compare-and-swap compares; `refunding` says that a refund is not finished.
    """

    id: str
    reference: str
    address: Address
    amount: int
    created_ms: int
    expires_ms: int
    asked_by: str
    webhook_url: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    state: PaymentState = "open"
    received: int = 0
    late: int = 0
    refunds: tuple[Refund, ...] = ()
    refunding: bool = False
    version: int = 0

    @property
    def credited(self) -> int:
        """All units that came."""
        return self.received + self.late

    @property
    def refundable(self) -> int:
        """Units that can still be given back."""
        return self.credited - sum(refund.amount for refund in self.refunds)

    def at(self, chain_ms: int) -> Payment:
        """The same with the state it has when the chain's solid time is `chain_ms`."""
        return replace(self, state=_state(self, chain_ms))

    def credit(self, amount: int, block_ms: int) -> Payment:
        """The same with units that a solid block of this time brought."""
        if block_ms <= self.expires_ms:
            return replace(self, received=self.received + amount)
        return replace(self, late=self.late + amount)

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        document = asdict(self)
        document["address"] = str(self.address)
        document["refunds"] = [asdict(refund) for refund in self.refunds]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Payment:
        """As it was stored."""
        fields = {name: document[name] for name in cls.__dataclass_fields__}
        fields["address"] = Address.parse(document["address"])
        fields["refunds"] = tuple(Refund(**refund) for refund in document["refunds"])
        return cls(**fields)


def _state(payment: Payment, chain_ms: int) -> PaymentState:
    if payment.received >= payment.amount:
        return "paid" if payment.credited == payment.amount else "overpaid"
    if chain_ms <= payment.expires_ms:
        return "partial" if payment.received else "open"
    if payment.late:
        return "late"
    return "underpaid" if payment.received else "expired"


def check_request(
    amount: int, expires_in_ms: int, reference: str, webhook_url: str | None, metadata: Mapping[str, Any]
) -> None:
    """Refuse what is no request for a payment.

    Raises
    ------
    InvalidPayment, InvalidWebhookUrl
        Naming what is wrong.
    """
    if not 0 < amount <= MAX_UNITS:
        raise InvalidPayment(f"amount is a positive integer of units, not {amount}")
    if not 60_000 <= expires_in_ms <= 90 * 86_400_000:
        raise InvalidPayment("A payment is open for one minute to 90 days")
    if not _REFERENCE.fullmatch(reference):
        raise InvalidPayment("reference has 1 to 128 printable ASCII characters without spaces")
    if len(str(dict(metadata))) > _MAX_METADATA:
        raise InvalidPayment(f"metadata has at most {_MAX_METADATA} characters")
    if webhook_url is not None:
        check_url(webhook_url)


def check_url(url: str) -> None:
    """Refuse URLs to which a signed body should not be sent.

    Raises
    ------
    InvalidWebhookUrl
        Unless it is https, or http on loopback, without credentials or fragment.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidWebhookUrl("The webhook URL is no URL") from error
    fine = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not fine or not host or parts.username or parts.password or parts.fragment or len(url) > 2_048:
        raise InvalidWebhookUrl(f"{parts.scheme[:16]}://{(host or '')[:80]} is no address for webhooks")
