"""What one request sees: a node with its faults, either its full-node or its solid side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lucid_tron.codec.address import Address
from lucid_tron.devnet.blocks import BLOCK_MS, Block, Entry
from lucid_tron.devnet.faults import Faults
from lucid_tron.devnet.genesis import Network
from lucid_tron.devnet.ledger import Ledger
from lucid_tron.devnet.state import Reader

Json = dict[str, Any]
Handler = Callable[["View", Json], Any]


@dataclass(slots=True)
class Node:
    """One door to the chain, with faults of its own."""

    network: Network
    faults: Faults
    instant: bool

    @property
    def ledger(self) -> Ledger:
        return self.network.ledger


class BadRequest(Exception):
    """The request makes no sense; java-tron answers ``{"Error": …}`` with status 200."""


@dataclass(frozen=True, slots=True)
class View:
    """The chain as one request sees it. `visible` asks for base58 addresses instead of hexadecimal ones."""

    node: Node
    solid: bool
    visible: bool

    @property
    def ledger(self) -> Ledger:
        return self.node.ledger

    @property
    def head(self) -> Block:
        ledger = self.ledger
        return ledger.blocks[self.solid_height()] if self.solid else ledger.head

    def solid_height(self) -> int:
        return self.ledger.solid_height(self.ledger.solid_lag + self.node.faults.solid_lag)

    @property
    def state(self) -> Reader:
        return self.ledger.state_at(self.solid_height()) if self.solid else self.ledger.state

    @property
    def slot(self) -> int:
        return (self.head.timestamp - self.ledger.blocks[0].timestamp) // BLOCK_MS

    def find(self, txid: bytes) -> tuple[Block, Entry] | None:
        found = self.ledger.find(txid)
        return found if found and found[0].number <= self.head.number else None

    def show(self, address: bytes) -> str:
        """An address as the request wants to read it."""
        return Address(address).base58 if self.visible else address.hex()

    def text(self, words: str) -> str:
        """Text that java-tron keeps as bytes: hexadecimal, plain in the visible form."""
        return words if self.visible else words.encode().hex()


def address_in(body: Mapping[str, Any], *names: str) -> Address:
    """Read an address that may stand under any of these names, in either form.

    Raises
    ------
    BadRequest
        If none is there.
    MalformedAddress
        If it is no address.
    """
    for name in names:
        if body.get(name):
            return Address.parse(str(body[name]))
    raise BadRequest(f"{names[0]} is missing")


def hex_in(body: Mapping[str, Any], name: str) -> bytes:
    """Read hexadecimal text, with or without 0x."""
    try:
        return bytes.fromhex(str(body.get(name) or "").removeprefix("0x"))
    except ValueError:
        raise BadRequest(f"{name} is not hexadecimal") from None


def int_in(body: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Read a number, also as text.

    Raises
    ------
    BadRequest
        If it is missing without a default, or no number.
    """
    value = body.get(name, default)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise BadRequest(f"{name} is a number, not {value!r}") from None


def without_defaults(content: Json) -> Json:
    """Leave out zeros and empty values, as protobuf's JSON does."""
    return {key: value for key, value in content.items() if value not in (0, "", None, [], {}, False)}
