"""What people and issuers ask of attestations, and what takes them to the chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lucid_kit import fault
from lucid_kit.clock import Clock, rfc3339
from lucid_kit.errors import DomainError, LimitExceeded, Unavailable
from lucid_tron.codec.address import Address
from lucid_tron.kyc.attestation import SignedAttestation
from lucid_tron.kyc.bringing import ATTEST, REVOKE
from lucid_tron.kyc.errors import AttestationNotFound, AttestationRefused
from lucid_tron.kyc.router import KycRouter, Standing
from lucid_tron.kyc.service import Attestations, Known
from lucid_tron.payouts.errors import PayoutsHalted
from lucid_tron.sending.orders import OPEN, Order
from lucid_tron.sending.trade import Orders
from lucid_tron.wallets.remote import RemoteWallet


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a subject here and on chain; `allowance` in units, in the router's present epoch."""

    subject: Address
    known: Known | None
    standing: Standing
    level: int | None
    allowance: int
    order: Order | None
    why_not: str | None


class KycDesk:
    """Takes attestations and revocations, brings them to the router, and says why somebody is not paid.

    Parameters
    ----------
    sender
        The wallet that brings attestations; anybody may.
    revoker
        A wallet that the router lists as an issuer, which brings revocations. Without one they stop payouts
        here, and the issuer itself tells the router.
    """

    def __init__(
        self,
        attestations: Attestations,
        orders: Orders,
        router: KycRouter,
        clock: Clock,
        sender: RemoteWallet,
        revoker: RemoteWallet | None = None,
    ) -> None:
        self.attestations = attestations
        self.router = router
        self._orders = orders
        self._clock = clock
        self._sender = sender
        self._revoker = revoker

    # --- what is asked ---

    async def take(self, data: bytes, who: str) -> SignedAttestation:
        """Take an attestation and have it brought to the router; the same again tries again what failed.

        Raises
        ------
        MalformedAttestation, AttestationRefused
            If it is not one that counts here.
        """
        signed = await self.attestations.take(data, who)
        fault.point("attestation-taken")
        # Ends here: it is kept and not ordered; the next round orders it.
        known = await self.attestations.newest(signed.attestation.subject)
        if known is not None and known.file == data:
            await self.attestations.set_ordered(known, ordered=False)
        await self._order_all()
        return signed

    async def revoke(self, subject: Address, nonce: int | None, who: str) -> Known:
        """End a subject's attestations up to `nonce` (all that are known), here at once, and on the router.

        Raises
        ------
        AttestationNotFound
            If nothing is known that could be revoked.
        AttestationRefused
            If a newer attestation is known than `nonce`.
        """
        known = await self.attestations.newest(subject)
        standing = await self.router.standing(subject)
        if nonce is None:
            nonce = max(known.nonce if known else 0, standing.nonce)
        issuer = self._revoker.address if self._revoker else known.issuer if known else None
        if not nonce or issuer is None:
            raise AttestationNotFound(f"Nobody attested {subject} here, so there is nothing to revoke")
        await self.attestations.revoke(subject, nonce, issuer, who)
        fault.point("attestation-revoked")
        # Ends here: nobody is paid on it any more, and the router does not know; the next round tells it.
        await self._order_all()
        found = await self.attestations.newest(subject)
        if found is None:
            raise AttestationRefused(f"The revocation of {subject} is not there")
        return found

    async def status(self, subject: Address) -> Status:
        """What counts for a subject, and why not more."""
        known, standing = await self.attestations.newest(subject), await self.router.standing(subject)
        level = None if known and known.file is None else await self.router.level(subject)
        return Status(
            subject,
            known,
            standing,
            level,
            0 if level is None else await self.router.allowance(subject),
            await self._order_of(known) if known else None,
            await self.why_not(subject),
        )

    async def is_revoked(self, subject: Address) -> bool:
        """Whether the newest word here on a subject is a revocation, whatever the router knows by now."""
        known = await self.attestations.newest(subject)
        return known is not None and known.file is None

    async def why_not(self, subject: Address) -> str | None:
        """Why a subject is not paid at all; None if the router would pay it something."""
        known = await self.attestations.newest(subject)
        if known is not None and known.file is None:
            return f"The attestation of {subject} was revoked"
        if await self.router.level(subject) is not None:
            return None
        standing, now = await self.router.standing(subject), self._clock.now_ms() // 1000
        if known is not None and known.nonce > standing.nonce and known.expiry > now:
            return f"The attestation of {subject} is on its way to the router"
        if known is None and not standing.nonce:
            return f"{subject} is not attested"
        if not standing.nonce or (standing.expiry and standing.expiry <= now):
            ended = standing.expiry or (known.expiry if known else 0)
            return f"The attestation of {subject} expired at {rfc3339(ended * 1000)}"
        if not standing.expiry:
            return f"The attestation of {subject} was revoked on the router"
        return f"The router lists the issuer {standing.issuer} no longer, who attested {subject}"

    async def why_not_all(self, subject: Address, amount: int) -> str:
        """Why a subject does not get so many units, though it is attested."""
        level = await self.router.level(subject)
        if level is None:
            return await self.why_not(subject) or f"{subject} is not attested"
        cap, left = await self.router.level_cap(level), await self.router.allowance(subject)
        return (
            f"{subject} is attested at level {level}, which gets {cap} units in an epoch of the router:"
            f" {left} are left, and the payout is {amount}"
        )

    # --- what drives it on ---

    async def run_once(self) -> Mapping[str, str]:
        """Order what was taken and not ordered, and take each open order a step further."""
        await self._order_all()
        said: dict[str, str] = {}
        for order in await self._orders.book.having(OPEN):
            try:
                if order.state == "approved" and (why := await self._is_needless(order)):
                    said[order.id] = (await self._orders.book.cancel(order.id, why)).state
                else:
                    said[order.id] = (await self._orders.step(order)).state
            except (DomainError, LimitExceeded, Unavailable, PayoutsHalted) as error:
                said[order.id] = f"{order.state}: {error}"
        return said

    async def _is_needless(self, order: Order) -> str | None:
        """Why there is nothing to bring any more."""
        standing = await self.router.standing(Address.parse(order.subject))
        nonce = int(order.terms["nonce"])
        if order.kind == ATTEST and standing.nonce >= nonce:
            return "the router knows this or a newer one"
        if order.kind == ATTEST and int(order.terms["expiry"]) <= self._clock.now_ms() // 1000:
            return "it has expired"
        if order.kind == REVOKE and (
            standing.nonce > nonce or (standing.nonce == nonce and not standing.expiry)
        ):
            return "the router knows it, or a newer word"
        return None

    async def _order_all(self) -> None:
        for known in await self.attestations.unordered():
            wallet = self._sender if known.file is not None else self._revoker
            if wallet is not None:
                await self._order(known, wallet)
            fault.point("attestation-ordered")
            # Ends here: it is ordered and not marked so; ordered again, it is the same order.
            await self.attestations.set_ordered(known, ordered=True)

    async def _order(self, known: Known, wallet: RemoteWallet) -> None:
        before = await self._orders_of(known)
        if any(order.state in (*OPEN, "settled") for order in before):
            return
        terms = {"nonce": known.nonce, "sender": str(wallet.address), "expiry": known.expiry}
        if known.file is not None:
            terms["file"] = known.file.decode()
        id_ = _base(known) + (f":{len(before)}" if before else "")
        kind = ATTEST if known.file is not None else REVOKE
        await self._orders.book.add(Order(id_, kind, str(known.subject), wallet.id, terms, known.asked_by))

    async def _orders_of(self, known: Known) -> list[Order]:
        base = _base(known)
        about = await self._orders.book.about(str(known.subject))
        return [order for order in about if order.id == base or order.id.startswith(f"{base}:")]

    async def _order_of(self, known: Known) -> Order | None:
        """The newest order to bring it."""
        found = await self._orders_of(known)
        return max(found, key=lambda order: (len(order.id), order.id), default=None)


def _base(known: Known) -> str:
    """The name of the first order to bring a word; those after a failure have a number behind it."""
    return f"{ATTEST if known.file is not None else REVOKE}:{known.subject}:{known.nonce}"
