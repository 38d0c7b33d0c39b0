"""Many nodes as one: any of them for what does no harm, a quorum of them for what moves money."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from lucid_kit.clock import Clock
from lucid_tron.client.errors import NodeRefused, NodesDisagree, NodeUnavailable, NoHealthyNode, TooFewNodes
from lucid_tron.client.node import Answer, Health, Node
from lucid_tron.client.pace import Backoff

View = Callable[[Answer], Any]
"""Takes from an answer what must agree, as JSON; it raises MalformedAnswer when that is not there."""


class NodePool:
    """The nodes of one network.

    Raises
    ------
    TooFewNodes
        If there are fewer nodes than must agree.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        quorum: int,
        clock: Clock,
        *,
        attempts: int = 5,
        backoff: Backoff | None = None,
        chance: random.Random | None = None,
    ) -> None:
        names = {node.name for node in nodes}
        if len(names) != len(nodes) or len(nodes) < max(1, quorum):
            raise TooFewNodes(
                f"{quorum} nodes must agree and {len(names)} different ones are configured", nodes=names
            )
        self._nodes = list(nodes)
        self._quorum = quorum
        self._clock = clock
        self._attempts = attempts
        self._backoff = backoff or Backoff(first_s=0.2, cap_s=5.0)
        self._chance = chance or random.Random()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, for questions that one node must answer in one piece."""
        return tuple(self._nodes)

    @property
    def quorum(self) -> int:
        """How many nodes must agree."""
        return self._quorum

    @property
    def health(self) -> list[Health]:
        """How each node is doing."""
        return [node.health for node in self._nodes]

    async def any(self, path: str, body: Answer, view: View | None = None) -> Answer:
        """The answer of one node, of another if it fails, a few times over.

        For reads of which a wrong answer is found out later (estimates, blocks to scan, histories).

        Raises
        ------
        NoHealthyNode
            If all failed, again and again.
        NodeRefused
            If a node says that the request is wrong.
        """
        said: dict[str, str] = {}
        for attempt in range(1, self._attempts + 1):
            for node in self._by_health():
                try:
                    answer = await node.call(path, body)
                    if view is not None:
                        view(answer)
                except NodeUnavailable as error:
                    said[node.name] = error.detail
                else:
                    return answer
            if attempt < self._attempts:
                await self._clock.sleep(self._backoff.wait(attempt, self._chance))
        raise NoHealthyNode(f"No node answers {path}", nodes=said)

    async def several(self, path: str, body: Answer) -> list[tuple[Node, Answer]]:
        """What every node that answers says: at least a quorum of them.

        Raises
        ------
        TooFewNodes
            If fewer answer.
        NodeRefused
            If a node says that the request is wrong and too few others answer it.
        """
        said: dict[str, str] = {}
        refusal: NodeRefused | None = None
        found: dict[str, tuple[Node, Answer]] = {}
        for attempt in range(1, self._attempts + 1):
            missing = [node for node in self._nodes if node.name not in found]
            answers = await asyncio.gather(
                *(node.call(path, body) for node in missing), return_exceptions=True
            )
            for node, answer in zip(missing, answers, strict=True):
                if isinstance(answer, NodeUnavailable):
                    said[node.name] = answer.detail
                elif isinstance(answer, NodeRefused):
                    refusal = answer
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    found[node.name] = node, answer
            if len(found) >= self._quorum:
                return list(found.values())
            if refusal is not None:
                raise refusal
            if attempt < self._attempts:
                await self._clock.sleep(self._backoff.wait(attempt, self._chance))
        raise TooFewNodes(
            f"{len(found)} of {self._quorum} nodes answer {path}", answered=sorted(found), nodes=said
        )

    async def agreed(self, path: str, body: Answer, view: View) -> Any:
        """What a quorum of nodes says alike and no equally large group contradicts.

        A node that is a block behind is given time to catch up before this fails.

        Raises
        ------
        NodesDisagree
            If they keep contradicting each other; nothing may be decided.
        TooFewNodes, NodeRefused
            As `several` does.
        """
        seen: dict[str, str] = {}
        for attempt in range(1, self._attempts + 1):
            views: list[tuple[Node, str]] = []
            for node, answer in await self.several(path, body):
                try:
                    views.append((node, json.dumps(view(answer), sort_keys=True)))
                except NodeUnavailable as error:
                    seen[node.name] = error.detail
            seen |= {node.name: sha256(text.encode()).hexdigest()[:16] for node, text in views}
            ranked = Counter(text for _, text in views).most_common(2)
            if ranked and ranked[0][1] >= self._quorum and (len(ranked) == 1 or ranked[1][1] < ranked[0][1]):
                for node, text in views:
                    node.dissents += text != ranked[0][0]
                return json.loads(ranked[0][0])
            if attempt < self._attempts:
                await self._clock.sleep(self._backoff.wait(attempt, self._chance))
        raise NodesDisagree(f"The nodes disagree on {path}", answers=seen)

    async def everyone(self, path: str, body: Answer) -> dict[str, Answer | Exception]:
        """Ask every node once and keep what each says, errors included."""
        answers = await asyncio.gather(
            *(node.call(path, body) for node in self._nodes), return_exceptions=True
        )
        kept: dict[str, Answer | Exception] = {}
        for node, answer in zip(self._nodes, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, Exception):
                raise answer
            kept[node.name] = answer
        return kept

    def _by_health(self) -> list[Node]:
        """Rested nodes first, those that failed least before others, the order among equals by chance."""
        shuffled = self._chance.sample(self._nodes, len(self._nodes))
        return sorted(shuffled, key=lambda node: (node.health.resting_ms > 0, node.health.failures))
