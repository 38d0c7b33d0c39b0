"""What addresses hold on the chain beside what our books say they must, for one and the same solid block."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lucid_kit.documents import Documents
from lucid_tron.codec.address import Address
from lucid_tron.gateway.blocks import Blocks
from lucid_tron.gateway.errors import CannotReconcile
from lucid_tron.gateway.movements import net
from lucid_tron.gateway.scanner import Scanner
from lucid_tron.usdt.manager import UsdtManager

_TRIES = 10
_AT_ONCE = 20


class Comparison:
    """Reads balances, some at a time, between two looks at what is solid."""

    def __init__(self, documents: Documents, blocks: Blocks, scanner: Scanner, usdt: UsdtManager) -> None:
        self._documents = documents
        self._blocks = blocks
        self._scanner = scanner
        self._usdt = usdt

    async def of(self, addresses: Sequence[Address]) -> dict[Address, tuple[int, int]]:
        """Units held, and units the books say, by address.

        Raises
        ------
        CannotReconcile
            If one moved on each time it was compared, or nodes are behind.
        """
        found: dict[Address, tuple[int, int]] = {}
        for first in range(0, len(addresses), _AT_ONCE):
            left = list(addresses[first : first + _AT_ONCE])
            for _ in range(_TRIES):
                found |= await self._still(left)
                left = [address for address in left if address not in found]
                if not left:
                    break
            else:
                raise CannotReconcile(f"{left[0]} moved on each time it was compared, or nodes are behind")
        return found

    async def _still(self, addresses: Sequence[Address]) -> dict[Address, tuple[int, int]]:
        """Those of which nothing moved between the blocks before and after their balance was read."""
        before = await self._blocks.solid_head()
        held = await asyncio.gather(*(self._usdt.balance(address) for address in addresses))
        after = await self._blocks.newest_solid()
        await self._scanner.run_once()
        if await self._scanner.cursor() < after:
            return {}
        still: dict[Address, tuple[int, int]] = {}
        for address, units in zip(addresses, held, strict=True):
            expected = await net(self._documents, address, after)
            if expected == await net(self._documents, address, before):
                still[address] = (units, expected)
        return still
