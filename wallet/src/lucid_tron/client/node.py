"""One node: its pace, its health, and how its many ways to fail are told apart."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic_core import from_json

from lucid_kit.clock import Clock
from lucid_tron.client.errors import MalformedAnswer, NodeBusy, NodeRefused, NodeUnavailable, WrongNetwork
from lucid_tron.client.pace import Backoff, TokenBucket
from lucid_tron.client.profiles import Profile

Answer = dict[str, Any]
MAX_ANSWER_BYTES = 32 << 20
"""Far above a full mainnet block with its receipts; a node cannot fill our memory."""

_BUSY = (403, 429, 503)
# What java-tron says when its own limiter refuses, with status 200.
_BUSY_WORDS = ("SERVER_BUSY", "lack of computing resources", "exceeds the frequency limit")


@dataclass(frozen=True, slots=True)
class Health:
    """A node as `/ready` and the console show it. `resting_ms` is how long it will be left alone."""

    node: str
    failures: int
    resting_ms: int
    dissents: int
    last_error: str | None


class Node:
    """A full node's HTTP API.

    It may be used by many tasks at once. After a failure it rests for a jittered time, in which the pool
    prefers others. `dissents` counts how often it stood against a quorum.
    """

    def __init__(
        self,
        url: str,
        profile: Profile,
        http: httpx.AsyncClient,
        clock: Clock,
        *,
        api_key: str | None = None,
        chance: random.Random | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        parts = urlsplit(url)
        # What may be shown: neither credentials nor a key that somebody put into the path.
        self.name = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        self._url = url.rstrip("/")
        self._genesis = profile.genesis
        self._http = http
        self._clock = clock
        self._headers = {"TRON-PRO-API-KEY": api_key} if api_key else {}
        self._bucket = TokenBucket(profile.requests_per_second, profile.burst, clock)
        self._chance = chance or random.Random()
        self._backoff = backoff or Backoff()
        self._verified = profile.genesis is None
        self._rest_until_ms = 0
        self._failures = 0
        self._last_error: str | None = None
        self.dissents = 0

    @property
    def health(self) -> Health:
        """How the node is doing."""
        resting = max(0, self._rest_until_ms - self._clock.monotonic_ms())
        return Health(self.name, self._failures, resting, self.dissents, self._last_error)

    async def call(self, path: str, body: Answer) -> Answer:
        """POST and read an object.

        Raises
        ------
        NodeBusy, MalformedAnswer, WrongNetwork, NodeUnavailable
            If it gave no answer; another node may.
        NodeRefused
            If it answered that the request is wrong; another node would say the same.
        """
        if not self._verified:
            await self._check_network()
        return await self._call(path, body)

    async def _check_network(self) -> None:
        block = await self._call("/wallet/getblockbynum", {"num": 0})
        found = str(block.get("blockID", "")).lower()
        if self._genesis is not None and found != self._genesis.hex():
            said = f"{self.name} has another block 0: {found[:64] or 'none'}"
            raise self._failed(WrongNetwork(said, node=self.name))
        self._verified = True

    async def _call(self, path: str, body: Answer) -> Answer:
        await self._bucket.take()
        try:
            answer = await self._post(path, body)
        except NodeUnavailable as error:
            raise self._failed(error) from error.__cause__
        self._failures, self._last_error = 0, None
        if "Error" in answer:
            said = str(answer["Error"])[:500]
            if any(words in said for words in _BUSY_WORDS):
                raise self._failed(NodeBusy(f"{self.name} is busy: {said}", node=self.name))
            raise NodeRefused(f"{self.name} refuses {path}: {said}", node=self.name)
        return answer

    async def _post(self, path: str, body: Answer) -> Answer:
        received = bytearray()
        try:
            async with self._http.stream(
                "POST", self._url + path, json=body, headers=self._headers
            ) as response:
                if response.status_code in _BUSY:
                    wait = response.headers.get("retry-after", "")
                    raise NodeBusy(
                        f"{self.name} answers {response.status_code}",
                        node=self.name,
                        retry_after_s=int(wait) if wait.isascii() and wait.isdigit() else 0,
                    )
                if response.status_code != 200:
                    raise NodeUnavailable(f"{self.name} answers {response.status_code}", node=self.name)
                async for piece in response.aiter_bytes():
                    received += piece
                    if len(received) > MAX_ANSWER_BYTES:
                        raise MalformedAnswer(f"{self.name} answers without end", node=self.name)
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise NodeUnavailable(f"{self.name} does not answer ({kind})", node=self.name) from error
        try:
            # Half the time json.loads takes; a scanner reads hundreds of kilobytes for each block.
            answer = from_json(bytes(received) or b"{}", cache_strings="keys")
        except ValueError as error:
            raise MalformedAnswer(f"{self.name} answers no JSON", node=self.name) from error
        if isinstance(answer, list):
            return {"items": answer}  # what `gettransactioninfobyblocknum` answers, given a name
        if not isinstance(answer, dict):
            raise MalformedAnswer(f"{self.name} answers {type(answer).__name__}, no object", node=self.name)
        return answer

    def _failed(self, error: NodeUnavailable) -> NodeUnavailable:
        self._failures += 1
        self._last_error = error.detail
        asked_for = error.facts.get("retry_after_s")
        rest_s = self._backoff.wait(self._failures, self._chance)
        if isinstance(asked_for, int):
            rest_s = max(rest_s, min(asked_for, self._backoff.cap_s))
        self._rest_until_ms = self._clock.monotonic_ms() + int(rest_s * 1000)
        return error
