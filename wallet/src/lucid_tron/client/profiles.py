"""The networks Lucid can pay on, and how to tell that a node belongs to one.

A network is known by the id of its block 0; the last four bytes of it are its chain id (TIP 712).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lucid_tron.codec.address import Address


@dataclass(frozen=True, slots=True)
class Profile:
    """One network. Rates are requests a second to one node; `quorum` nodes must agree before money moves."""

    name: str
    genesis: bytes | None
    nodes: tuple[str, ...]
    usdt: Address | None
    quorum: int = 2
    requests_per_second: float = 10.0
    burst: int = 10

    @property
    def chain_id(self) -> int | None:
        """What CHAINID gives in this network's contracts; None when the network has no fixed genesis."""
        return None if self.genesis is None else int.from_bytes(self.genesis[-4:], "big")

    def at(self, *nodes: str, usdt: Address | None = None, quorum: int | None = None) -> Profile:
        """The same network through these nodes."""
        return replace(
            self,
            nodes=nodes,
            usdt=usdt or self.usdt,
            quorum=self.quorum if quorum is None else quorum,
        )


MAINNET = Profile(
    "mainnet",
    bytes.fromhex("00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"),
    # One public gateway is one opinion: the operator adds a second node, or every money decision is refused.
    ("https://api.trongrid.io",),
    Address.parse("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"),
)
NILE = Profile(
    "nile",
    bytes.fromhex("0000000000000000d698d4192c56cb6be724a558448e2684802de4d6cd8690dc"),
    ("https://nile.trongrid.io",),
    Address.parse("TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf"),
)
SHASTA = Profile(
    "shasta",
    bytes.fromhex("0000000000000000de1aa88295e1fcf982742f773e0419c5a9c134c994a9059e"),
    ("https://api.shasta.trongrid.io",),
    Address.parse("TG3XXyExBkPp9nzdajDZsozEu4BkaSJozs"),
)
# A devnet is one process with one opinion; its token and address are known when it is up.
DEVNET = Profile("devnet", None, (), None, quorum=1, requests_per_second=10_000.0, burst=1_000)

PROFILES = {profile.name: profile for profile in (MAINNET, NILE, SHASTA, DEVNET)}
