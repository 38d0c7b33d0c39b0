"""The newest block, as this service knows it. It never goes back."""

import asyncio
from collections.abc import Callable

from lucid.sessions.errors import ChainMismatch, ChainNeverSeen
from lucid.sessions.ports import Chain
from lucid.sessions.store import SessionStore
from lucid_kit.clock import Clock
from lucid_kit.errors import LucidError
from lucid_kit.logs import get_logger
from lucid_proof.records import Header, Seen

Listener = Callable[[Header], None]

_LATE_MS = 15_000  # a block is made every ten seconds, and we look about once a second


class Head:
    """Follows the chain about once a second, and survives its being away.

    What was seen last is stored before anyone here names it, so that a record signed after a restart never
    names an older block than one signed before.
    """

    def __init__(self, chain: Chain, store: SessionStore, origin: str, clock: Clock, poll_s: float) -> None:
        self._chain = chain
        self._store = store
        self._origin = origin
        self._clock = clock
        self._poll_s = poll_s
        self._listeners: list[Listener] = []
        self._newest: Header | None = None
        self._looked = False
        self._fresh_ms: int | None = None
        self._lock = asyncio.Lock()
        self.away_since_ms: int | None = None

    @property
    def newest(self) -> Header | None:
        return self._newest

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every new block from now on."""
        self._listeners.append(listener)

    async def load(self) -> None:
        """Take up what was seen before the restart."""
        kept = await self._store.fact("head")
        if kept is not None and kept["header"]["chain"] == self._origin:
            self._newest = Header.from_json(kept["header"])

    async def require(self) -> Header:
        """The newest block.

        Raises
        ------
        ChainNeverSeen
            If none was ever seen: then nothing can be signed yet.
        """
        if self._newest is None:
            try:
                await self.look()
            except LucidError as error:
                raise ChainNeverSeen(f"The chain has not answered yet: {error.detail}") from error
        assert self._newest is not None
        return self._newest

    async def seen(self) -> Seen:
        """The newest block as records name it. Raises ChainNeverSeen."""
        return (await self.require()).seen()

    def ceiling_ms(self) -> int | None:
        """The latest that it can be by the chain's clock; None before a block was seen to follow another."""
        if self._newest is None or self._fresh_ms is None:
            return None
        return self._newest.time_ms + self._clock.monotonic_ms() - self._fresh_ms + _LATE_MS

    async def look(self) -> None:
        """Ask the chain once. Raises LucidError if it does not answer or is another chain."""
        async with self._lock:
            header = (await self._chain.latest()).header
            if header.chain != self._origin:
                raise ChainMismatch(f"The chain is {header.chain}; the trust policy names {self._origin}")
            if self._newest is not None and header.height <= self._newest.height:
                if header.height < self._newest.height:
                    get_logger().warning("chain.behind", height=header.height, known=self._newest.height)
                self._looked = True
                return
            await self._store.set_fact("head", header=header.to_json())
            self._newest = header
            if self._looked:  # the first one we see may be hours old; one that comes while we look is new
                self._fresh_ms = self._clock.monotonic_ms()
            self._looked = True
        for listener in self._listeners:
            listener(header)

    async def run(self) -> None:
        """Look about once a second until cancelled."""
        while True:
            try:
                await self.look()
                if self.away_since_ms is not None:
                    get_logger().info("chain.back", away_ms=self._clock.monotonic_ms() - self.away_since_ms)
                    self.away_since_ms = None
            except LucidError as error:
                if self.away_since_ms is None:
                    self.away_since_ms = self._clock.monotonic_ms()
                    get_logger().warning("chain.away", error=error.detail, code=error.code)
            await self._clock.sleep(self._poll_s)
