"""A chain with a payout router on it, for the routers' tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from devnet_chain import Chain, Person

from lucid_tron import abi
from lucid_tron.codec.address import Address
from lucid_tron.contracts import artefact
from lucid_tron.contracts.deployment import encode_arguments
from lucid_tron.devnet.accounts import SUN
from lucid_tron.devnet.blocks import Entry
from lucid_tron.devnet.evm.host import keccak256

PAY = "payBatch(bytes32,(bytes32,address,uint256)[])"
EPOCH_S = 86_400
OWNER, OPERATOR, PAUSER = Person("owner"), Person("operator"), Person("pauser")
HOSTILE = Path(__file__).parents[1] / "contracts" / "tests" / "HostileToken.json"

Payout = tuple[bytes, Address, int]


def payout_id(name: object) -> bytes:
    return keccak256(str(name).encode())


@cache
def errors(name: str) -> dict[bytes, str]:
    """Selectors of a contract's errors."""
    found = {}
    for each in artefact(name).abi:
        if each["type"] == "error":
            kinds = ",".join(item["type"] for item in each["inputs"])
            found[abi.selector(f"{each['name']}({kinds})")] = each["name"]
    return found


@dataclass
class Router:
    """A deployed router and its roles."""

    chain: Chain
    address: Address
    token: Address
    name: str

    def call(self, who: Person, signature: str, *values: Any) -> str:
        """SUCCESS, or the name of the error it reverted with."""
        return self.result(self.chain.invoke(who.key, self.address, signature, *values))

    def result(self, entry: Entry) -> str:
        effect = entry.effect
        if effect.result != "REVERT":
            return effect.result
        return errors(self.name).get(effect.output[:4], "REVERT")

    def pay(self, *payouts: Payout, batch: object = "batch", who: Person = OPERATOR) -> str:
        return self.call(who, PAY, payout_id(batch), payouts)

    def is_paid(self, name: object) -> bool:
        paid: bool = self.chain.ask(self.address, "isPaid(bytes32)", payout_id(name), returns="(bool)")
        return paid

    def balance(self, who: Address | None = None) -> int:
        held: int = self.chain.ask(self.token, "balanceOf(address)", who or self.address)
        return held


def rich_people(chain: Chain, *others: Person) -> None:
    for person in (OWNER, OPERATOR, PAUSER, *others):
        chain.give(person.address, trx=1_000_000 * SUN)


def router_on(
    chain: Chain,
    *,
    name: str = "PayoutRouter",
    token: Address | None = None,
    funds: int = 10_000,
    max_payout: int = 1_000,
    max_epoch: int = 3_000,
) -> Router:
    """Deploy a router that holds `funds` of its token."""
    token = token or chain.usdt
    values: dict[str, object] = {
        "token": token,
        "owner": OWNER.address,
        "operator": OPERATOR.address,
        "pauser": PAUSER.address,
        "maxPayout": max_payout,
        "maxEpoch": max_epoch,
        "epochSeconds": EPOCH_S,
    }
    compiled = artefact(name)
    address = chain.deploy(compiled.bytecode, encode_arguments(compiled, values))
    if funds:
        entry = chain.invoke(chain.faucet, token, "transfer(address,uint256)", address, funds)
        assert entry.effect.result == "SUCCESS"
    return Router(chain, address, token, name)


def hostile_token(chain: Chain, supply: int = 10**9) -> Address:
    content = json.loads(HOSTILE.read_text())
    return chain.deploy(bytes.fromhex(content["bytecode"]), abi.encode("(uint256)", (supply,)))
