"""The contract machine alone: two contracts of given code in an empty world."""

from __future__ import annotations

from lucid_tron.codec.address import Address
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import Account, Contract
from lucid_tron.devnet.evm.host import BlockContext
from lucid_tron.devnet.state import Sheet, World

HERE = Address(b"\x41" + b"\x11" * 20)
THERE = Address(b"\x41" + b"\x22" * 20)
CALLER = Address(b"\x41" + b"\x33" * 20)
BLOCK = BlockContext(
    7, 1_763_800_001_500, bytes(CALLER), 0x2B6653DC, 100, lambda number: bytes([number]) * 32
)


def sheet_with(code: str, *, there: str = "", factor: int = 0) -> Sheet:
    sheet = Sheet(World())
    accounts.put_account(sheet, Account(CALLER, balance=10**9))
    for address, text in ((HERE, code), (THERE, there)):
        if text:
            accounts.put_account(sheet, Account(address, balance=1_000, is_contract=True))
            sheet.put(("code", bytes(address)), bytes.fromhex(text.replace(" ", "")))
            sheet.put(
                ("contract", bytes(address)), Contract(address, CALLER, "", None, b"", 100, 0, b"", factor)
            )
    return sheet
