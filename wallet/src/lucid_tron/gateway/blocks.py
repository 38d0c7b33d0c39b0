"""What the scanner asks nodes: which block has which id, and what moved in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lucid_tron.client.client import TronClient
from lucid_tron.client.models import BlockRef, read_bytes
from lucid_tron.client.node import Answer
from lucid_tron.codec.address import Address
from lucid_tron.gateway.movements import Movement, read, relevant

_RECEIPTS = "gettransactioninfobyblocknum"


@dataclass(frozen=True, slots=True)
class Header:
    """A block's number, id and parent's id (hexadecimal), and time (ms UTC)."""

    number: int
    id: str
    parent: str
    time_ms: int

    @classmethod
    def read(cls, answer: Answer) -> Header:
        """From a block as nodes give it, its number checked against its id."""
        block = BlockRef.read(answer)
        raw = answer.get("block_header", {}).get("raw_data", {})
        return cls(block.number, block.id.hex(), read_bytes(raw, "parentHash").hex(), block.timestamp_ms)


class Blocks:
    """Blocks of one network, as far as they concern one token."""

    def __init__(self, client: TronClient, token: Address) -> None:
        self._client = client
        self._token = token

    async def solid_head(self) -> int:
        """The number of the newest block that every answering node of a quorum calls solid."""
        return (await self._client.solid_head_agreed()).number

    async def newest_solid(self) -> int:
        """The number of the newest block that *any* answering node of a quorum calls solid."""
        answers = await self._client.pool.several("/walletsolidity/getnowblock", {})
        return max(BlockRef.read(answer).number for _, answer in answers)

    async def head(self) -> int:
        """The number of the newest block of some node."""
        return (await self._client.head()).number

    async def solid_header(self, number: int) -> Header:
        """A solid block, by a quorum."""

        def view(answer: Answer) -> Any:
            header = Header.read(answer)
            return [header.number, header.id, header.parent, header.time_ms]

        ask = {"id_or_num": str(number), "detail": False}
        return Header(*await self._client.pool.agreed("/walletsolidity/getblock", ask, view))

    async def header(self, number: int) -> Header:
        """A block, as some node has it now."""
        ask = {"id_or_num": str(number), "detail": False}
        return Header.read(await self._client.pool.any("/wallet/getblock", ask, Header.read))

    async def solid_movements(self, number: int, watched: Collection[str]) -> list[Movement]:
        """What moved from or to watched addresses in a solid block: only what a quorum says alike."""
        path = f"/walletsolidity/{_RECEIPTS}"
        rows = await self._client.pool.agreed(
            path, {"num": number}, lambda answer: relevant(answer, self._token, watched)
        )
        return [read(row) for row in rows]

    async def movements(self, number: int, watched: Collection[str]) -> list[Movement]:
        """What some node says that moved in a block that may still go."""
        answer = await self._client.pool.any(f"/wallet/{_RECEIPTS}", {"num": number})
        return [read(row) for row in relevant(answer, self._token, watched)]
