"""Many senders, one disk: transactions that arrive together are stored in one transaction of the database."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from lucid_blocks.ledger import Ledger
from lucid_blocks.models import Entry
from lucid_blocks.tables import PendingRow
from lucid_kit.errors import LucidError

_TOGETHER: Final = 1_000

Answer = PendingRow | LucidError | None


class Intake:
    """Brings entries to `Ledger.accept`, as many at once as are waiting. For one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[tuple[Sequence[Entry], asyncio.Future[list[Answer]]]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def submit(self, entries: Sequence[Entry]) -> list[Answer]:
        """As `Ledger.accept`; durable once it returns."""
        answer: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._drain())
        return await answer

    async def _drain(self) -> None:
        while self._waiting:
            batch, size = [self._waiting.popleft()], 0
            while self._waiting and (size := size + len(batch[-1][0])) < _TOGETHER:
                batch.append(self._waiting.popleft())
            entries = [entry for each, _ in batch for entry in each]
            try:
                answers = await asyncio.to_thread(self._ledger.accept, entries)
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                for _, waiter in batch:
                    if not waiter.done():
                        waiter.set_exception(error)
                continue
            for each, waiter in batch:
                mine, answers = answers[: len(each)], answers[len(each) :]
                if not waiter.done():  # its sender may have gone
                    waiter.set_result(mine)
