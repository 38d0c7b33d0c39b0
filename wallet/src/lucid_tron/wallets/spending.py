"""Caps by wallet, asset and UTC day, enforced where they are stored.

A payment is reserved under its transaction id before it is signed. The reservation and the day's sum are
written in one transaction, the sum by compare-and-swap: two who ask at once cannot both pass the cap, and
one who asks twice is counted once. A reservation is never given back: what was signed may still be paid.
"""

from __future__ import annotations

from datetime import UTC, datetime

from lucid_kit.documents import Collection, Documents, DuplicateKey, Index, TransactionConflict
from lucid_tron.wallets.errors import ClockWentBack, OverCap
from lucid_tron.wallets.models import Cap, Wallet

RESERVATIONS = Collection("wallet_reservations", Index("wallet", "day"))
DAYS = Collection("wallet_days", Index("wallet", "asset", "day"))
_ATTEMPTS = 50


class _Contended(Exception):
    """Somebody else changed a sum between our reading and our writing it."""


class Spending:
    """What each wallet has spent on each day."""

    collections = (RESERVATIONS, DAYS)

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def reserve(self, wallet: Wallet, txid: bytes, amounts: dict[str, int], now_ms: int) -> None:
        """Count a transaction's amounts (by asset) towards the caps; the same transaction only once.

        Raises
        ------
        OverCap
            If an amount or the day's sum with it is above the cap, or the asset has none.
        ClockWentBack
            If the wallet already paid on a later day.
        """
        day = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d")
        for asset, amount in amounts.items():
            self._check_payment(wallet, asset, amount)
        for _ in range(_ATTEMPTS):
            try:
                return await self._try(wallet, txid, amounts, day)
            except (_Contended, DuplicateKey, TransactionConflict):
                continue
        raise OverCap(f"Too many payments of {wallet.name!r} at once; none of this one was signed")

    def _check_payment(self, wallet: Wallet, asset: str, amount: int) -> None:
        cap = wallet.caps.get(asset)
        if cap is None:
            raise OverCap(f"{wallet.name!r} has no cap for {asset}, so it does not spend it", asset=asset)
        if amount > cap.per_payment:
            raise OverCap(
                f"{wallet.name!r} pays at most {cap.per_payment} of {asset} at once, not {amount}",
                asset=asset,
                amount=amount,
                cap=cap.per_payment,
            )

    async def _try(self, wallet: Wallet, txid: bytes, amounts: dict[str, int], day: str) -> None:
        """One attempt, all or nothing; _Contended when somebody else changed a sum meanwhile."""
        async with self._documents.transaction() as inside:
            reservation = f"{wallet.id}:{txid.hex()}"
            if await inside.get(RESERVATIONS.name, reservation) is not None:
                return
            later = {"wallet": wallet.id, "day": {"$gt": day}}
            if await inside.find(DAYS.name, later, limit=1):
                raise ClockWentBack(f"{wallet.name!r} already paid on a day after {day}")
            for asset, amount in amounts.items():
                await self._add(inside, wallet, asset, amount, day)
            await inside.insert(
                RESERVATIONS.name,
                {"id": reservation, "wallet": wallet.id, "day": day, "amounts": dict(amounts)},
            )

    async def _add(self, inside: Documents, wallet: Wallet, asset: str, amount: int, day: str) -> None:
        cap: Cap = wallet.caps[asset]
        key = f"{wallet.id}:{asset}:{day}"
        found = await inside.get(DAYS.name, key)
        spent = int(found["spent"]) if found else 0
        if spent + amount > cap.per_day:
            raise OverCap(
                f"{wallet.name!r} has spent {spent} of its {cap.per_day} {asset} of {day}, not {amount} more",
                asset=asset,
                spent=spent,
                cap=cap.per_day,
            )
        if found is None:
            document = {"id": key, "wallet": wallet.id, "asset": asset, "day": day, "spent": amount}
            await inside.insert(DAYS.name, document)
        elif await inside.update(DAYS.name, key, {"spent": spent + amount}, expect={"spent": spent}) is None:
            raise _Contended

    async def spent(self, wallet_id: str, asset: str, now_ms: int) -> int:
        """What a wallet spent of an asset on the UTC day of `now_ms`."""
        day = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d")
        found = await self._documents.get(DAYS.name, f"{wallet_id}:{asset}:{day}")
        return int(found["spent"]) if found else 0
