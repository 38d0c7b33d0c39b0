"""The instruction table: py-evm's Cancun logic under java-tron's prices.

Source: java-tron OperationRegistry (TRON_V1_4 with fair-energy and memory adjustments, as on mainnet) and
EnergyCost. TRON's own instructions for TRC-10 tokens, staking and votes (0xd0-0xdf) are left out, but for
ISCONTRACT; they end a run with ILLEGAL_OPERATION.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from eth.vm import opcode_values as op
from eth.vm.forks.byzantium.opcodes import ensure_no_static
from eth.vm.forks.cancun import logic as cancun
from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES
from eth.vm.logic import arithmetic, block, context, memory, stack
from eth.vm.logic import storage as storage_logic
from eth.vm.opcode import as_opcode

from lucid_tron.devnet.evm.calls import (
    HASH_WORD_ENERGY,
    TronCall,
    TronCallCode,
    TronCreate,
    TronCreate2,
    TronDelegateCall,
    TronStaticCall,
    selfdestruct,
)
from lucid_tron.devnet.evm.host import keccak256

STORE_NEW, STORE_OTHER = 20_000, 5_000
ISCONTRACT = 0xD4


def sstore(computation: Any) -> None:
    """20,000 to make a row, 5,000 to clear or change one; nothing is refunded."""
    slot, value = computation.stack_pop_ints(2)
    address = computation.msg.storage_address
    there = computation.state.row(address, slot)
    price = STORE_NEW if there is None and value else STORE_OTHER
    computation.consume_gas(price, "SSTORE")
    computation.state.set_storage(address, slot, value)


def mload(computation: Any) -> None:
    """As py-evm's, in a third of the time: every second instruction that is not plain is this or MSTORE."""
    start = computation.stack_pop1_int()
    memory = computation._memory
    if start + 32 > len(memory._bytes):
        computation.extend_memory(start, 32)
    computation._stack.values.append(int.from_bytes(memory._bytes[start : start + 32], "big"))


def mstore(computation: Any) -> None:
    start, value = computation.stack_pop_ints(2)
    memory = computation._memory
    if start + 32 > len(memory._bytes):
        computation.extend_memory(start, 32)
    memory._bytes[start : start + 32] = value.to_bytes(32, "big")


_hashed = lru_cache(maxsize=1 << 14)(keccak256)
"""Contracts hash the same few words again and again, to find rows of their storage."""


def sha3(computation: Any) -> None:
    start, size = computation.stack_pop_ints(2)
    computation.extend_memory(start, size)
    computation.consume_gas(HASH_WORD_ENERGY * ((size + 31) // 32), "SHA3")
    computation.stack_push_bytes(_hashed(computation.memory_read_bytes(start, size)))


def exp(computation: Any) -> None:
    arithmetic.exp(computation, gas_per_byte=10)


def is_contract(computation: Any) -> None:
    address = computation.stack_pop1_bytes()[-20:].rjust(20, b"\x00")
    computation.stack_push_int(1 if computation.state.get_code(address) else 0)


def _zero(computation: Any) -> None:
    computation.stack_push_int(0)


def _blob_hash(computation: Any) -> None:
    computation.stack_pop1_int()
    computation.stack_push_int(0)


def _table() -> dict[int, Any]:
    table = dict(CANCUN_OPCODES)

    def price(value: int, energy: int, logic: Any, name: str) -> None:
        table[value] = as_opcode(logic, name, energy)

    price(op.EXP, 10, exp, "EXP")
    price(op.SHA3, 30, sha3, "SHA3")
    price(op.SLOAD, 50, storage_logic.sload, "SLOAD")
    price(op.SSTORE, 0, ensure_no_static(sstore), "SSTORE")
    price(op.TLOAD, 100, cancun.tload, "TLOAD")
    price(op.TSTORE, 100, cancun.tstore, "TSTORE")
    price(op.BALANCE, 20, context.balance, "BALANCE")
    price(op.SELFBALANCE, 5, context.selfbalance, "SELFBALANCE")
    price(op.EXTCODESIZE, 20, context.extcodesize, "EXTCODESIZE")
    price(op.EXTCODECOPY, 20, context.extcodecopy, "EXTCODECOPY")
    price(op.EXTCODEHASH, 400, context.extcodehash, "EXTCODEHASH")
    price(op.CALLDATACOPY, 0, context.calldatacopy, "CALLDATACOPY")
    price(op.CODECOPY, 0, context.codecopy, "CODECOPY")
    price(op.RETURNDATACOPY, 0, context.returndatacopy, "RETURNDATACOPY")
    price(op.MLOAD, 1, mload, "MLOAD")
    price(op.MSTORE, 1, mstore, "MSTORE")
    price(op.MSTORE8, 1, memory.mstore8, "MSTORE8")
    price(op.MCOPY, 3, memory.mcopy, "MCOPY")
    price(op.PUSH0, 2, stack.push0, "PUSH0")
    price(op.BLOCKHASH, 20, block.blockhash, "BLOCKHASH")
    price(op.DIFFICULTY, 2, _zero, "DIFFICULTY")
    price(op.GASLIMIT, 2, _zero, "GASLIMIT")
    price(op.GASPRICE, 2, _zero, "GASPRICE")
    price(op.BASEFEE, 2, block.basefee, "BASEFEE")
    price(op.BLOBHASH, 3, _blob_hash, "BLOBHASH")
    price(op.BLOBBASEFEE, 2, _zero, "BLOBBASEFEE")
    price(ISCONTRACT, 20, is_contract, "ISCONTRACT")
    price(op.SELFDESTRUCT, 0, selfdestruct, "SELFDESTRUCT")
    table |= {
        op.CALL: TronCall(),
        op.CALLCODE: TronCallCode(),
        op.DELEGATECALL: TronDelegateCall(),
        op.STATICCALL: TronStaticCall(),
        op.CREATE: TronCreate(),
        op.CREATE2: TronCreate2(),
    }
    return table


TRON_OPCODES = _table()
