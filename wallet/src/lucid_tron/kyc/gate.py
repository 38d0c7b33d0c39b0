"""The KYC router as the processor sees it: who is not attested waits, with a reason people understand."""

from __future__ import annotations

from collections.abc import Sequence

from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.kyc.desk import KycDesk
from lucid_tron.payouts.errors import BatchReverts
from lucid_tron.payouts.models import Payout
from lucid_tron.payouts.router import Outlook, RouterClient
from lucid_tron.usdt.manager import UsdtManager

_ABOUT_THE_PAYEE = ("NotAttested", "OverLevelCap")


class AttestedRouterClient(RouterClient):
    """A router that pays only the attested. Revoked here counts at once, before the router knows it."""

    def __init__(self, client: TronClient, usdt: UsdtManager, address: Address, kyc: KycDesk) -> None:
        super().__init__(client, usdt, address)
        self._kyc = kyc

    async def rehearse(self, operator: Address, payouts: Sequence[Payout]) -> int:
        """The energy a batch would take now.

        Raises
        ------
        BatchReverts
            If it would revert, or somebody in it was revoked; it says why that payee is not paid.
        """
        await self._require_nobody_revoked(payouts)
        try:
            return await super().rehearse(operator, payouts)
        except BatchReverts as error:
            guilty = next((payout for payout in payouts if payout.id == error.payout), None)
            if guilty is None or error.reason not in _ABOUT_THE_PAYEE:
                raise
            why = await self._kyc.why_not_all(guilty.recipient, guilty.amount)
            raise BatchReverts(why, reason=error.reason, payout=guilty.id) from error

    async def prepare(
        self, outlook: Outlook, payouts: Sequence[Payout], energy: int, lifetime_ms: int
    ) -> RawTransaction:
        """The transaction that pays a batch; somebody may have been revoked since it was rehearsed."""
        await self._require_nobody_revoked(payouts)
        return await super().prepare(outlook, payouts, energy, lifetime_ms)

    async def _require_nobody_revoked(self, payouts: Sequence[Payout]) -> None:
        for payout in payouts:
            if await self._kyc.is_revoked(payout.recipient):
                why = f"The attestation of {payout.recipient} was revoked"
                raise BatchReverts(why, reason="Revoked", payout=payout.id)
