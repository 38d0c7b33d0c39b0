"""How a development network begins: keys from a seed, a faucet, 27 representatives, and USDT in block 1."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

import coincurve

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.json import message_from_json
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.contracts import artefact
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import SUN, Account, Witness
from lucid_tron.devnet.blocks import BLOCK_MS, address_of
from lucid_tron.devnet.ledger import Ledger
from lucid_tron.devnet.params import Parameters
from lucid_tron.devnet.state import Sheet, World

REPRESENTATIVES = 27
FAUCET_SUN = 5_000_000_000 * SUN  # below 2^53, so that JavaScript reads it exactly
USDT_SUPPLY = 50_000_000_000 * 10**6
MAINNET_USDT_FACTOR = 34_000
"""Dynamic-energy surcharge that mainnet's USDT carries: the most there is (getDynamicEnergyMaxFactor)."""


def key_from(seed: str, name: str) -> coincurve.PrivateKey:
    """A key anybody can compute: worthless on purpose."""
    return coincurve.PrivateKey(sha256(f"{seed}/{name}".encode()).digest())


@dataclass(frozen=True, slots=True)
class Network:
    """A running chain and what people need to use it."""

    ledger: Ledger
    faucet: coincurve.PrivateKey
    usdt: Address

    @property
    def faucet_address(self) -> Address:
        return address_of(self.faucet)


def found(
    *,
    seed: str = "lucid-devnet",
    parameters: Parameters | None = None,
    solid_lag: int = 19,
    interval_ms: int = 0,
    usdt_factor: int = MAINNET_USDT_FACTOR,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Network:
    """Begin a chain whose block 1 has deployed USDT; the faucet holds its supply and the TRX."""
    faucet = key_from(seed, "faucet")
    witnesses = [key_from(seed, f"representative/{index}") for index in range(REPRESENTATIVES)]
    genesis_ms = now_ms() // BLOCK_MS * BLOCK_MS - BLOCK_MS
    world = World()
    sheet = Sheet(world)
    address = address_of(faucet)
    accounts.put_account(
        sheet, Account(bytes(address), balance=FAUCET_SUN, name="faucet", created_ms=genesis_ms)
    )
    for index, key in enumerate(witnesses):
        representative = bytes(address_of(key))
        accounts.put_account(sheet, Account(representative, balance=SUN, created_ms=genesis_ms))
        votes = (REPRESENTATIVES - index) * 10_000_000
        sheet.put(("witness", representative), Witness(representative, f"http://sr{index}.devnet", votes))
        sheet.put(("witnesses",), (*(sheet.get(("witnesses",)) or ()), representative))
    ledger = Ledger(
        parameters or Parameters(),
        witnesses,
        sheet,
        world,
        genesis_ms=genesis_ms,
        now_ms=now_ms,
        solid_lag=solid_lag,
        interval_ms=interval_ms,
    )
    usdt = _deploy_usdt(ledger, faucet)
    set_energy_factor(ledger, usdt, usdt_factor)
    ledger.seal()
    return Network(ledger, faucet, usdt)


def set_energy_factor(ledger: Ledger, address: Address, factor: int) -> None:
    """Give a contract a dynamic-energy surcharge, in ten-thousandths.

    Raises
    ------
    KeyError
        If there is no such contract.
    """
    sheet = ledger.amend()
    there = accounts.contract(sheet, address)
    if there is None:
        raise KeyError(address.base58)
    sheet.put(("contract", bytes(address)), replace(there, energy_factor=factor))


def _deploy_usdt(ledger: Ledger, faucet: coincurve.PrivateKey) -> Address:
    token = artefact("DevnetUSDT")
    arguments = abi.encode("(uint256,string,string,uint8)", (USDT_SUPPLY, "Tether USD", "USDT", 6))
    owner = address_of(faucet)
    order = c.CreateSmartContract(
        owner_address=owner,
        new_contract=c.SmartContract(
            origin_address=owner,
            name="TetherToken",
            abi=message_from_json(c.Abi, {"entrys": token.chain_abi()}),
            bytecode=token.bytecode + arguments,
            consume_user_resource_percent=100,
            origin_energy_limit=10_000_000,
        ),
    )
    signed = sign(ledger, order, faucet, fee_limit=15_000 * SUN)
    ledger.broadcast(signed)
    return Address.of_contract(signed.txid, owner)


def sign(
    ledger: Ledger, contract: c.Contract, key: coincurve.PrivateKey, *, fee_limit: int = 0
) -> SignedTransaction:
    """A signed transaction that refers to the solid block and expires a minute after the head."""
    solid = ledger.solid
    raw = transaction.encode(
        RawTransaction(
            ref_block_bytes=solid.id[6:8],
            ref_block_hash=solid.id[8:16],
            expiration=ledger.head.timestamp + 60_000,
            timestamp=ledger.head.timestamp,
            contracts=(contract,),
            fee_limit=fee_limit,
        )
    )
    return SignedTransaction(raw, (key.sign_recoverable(transaction.txid(raw), hasher=None),))
