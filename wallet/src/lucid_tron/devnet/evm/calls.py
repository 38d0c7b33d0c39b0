"""CALL, CREATE and kin with TRON's rules: flat prices, depth 64, addresses from the txID, no 63/64 rule.

Source: java-tron EnergyCost.getCalculateCallCost, Program.callToAddress and Program.createContractImpl.
"""

from __future__ import annotations

from typing import Any

from eth.exceptions import Halt, OutOfGas, WriteProtection
from eth.vm.logic.call import BaseCall, CallByzantium, CallCode, DelegateCall, StaticCall
from eth.vm.opcode import Opcode

from lucid_tron.devnet.evm.host import PREFIX, keccak256

CALL_ENERGY = 40
VALUE_CALL_ENERGY = 9_000
NEW_ACCOUNT_ENERGY = 25_000
STIPEND = 2_300
CREATE_ENERGY = 32_000
HASH_WORD_ENERGY = 6
DEPTH_LIMIT = 64


class _TronCall(BaseCall):
    gas_cost = CALL_ENERGY

    def compute_msg_extra_gas(self, computation: Any, gas: int, to: bytes, value: int) -> int:  # noqa: ARG002
        if not value:
            return 0
        return VALUE_CALL_ENERGY + (0 if computation.state.account_exists(to) else NEW_ACCOUNT_ENERGY)

    def __call__(self, computation: Any) -> None:
        gas, value, to, sender, code_address, in_at, in_size, out_at, out_size, moves, static = (
            self.get_call_params(computation)
        )
        source = code_address or to
        extra = self.compute_msg_extra_gas(computation, gas, to, value) if moves else 0
        computation.consume_gas(CALL_ENERGY + extra, self.mnemonic)
        computation.extend_memory(in_at, in_size)
        computation.extend_memory(out_at, out_size)
        data = computation.memory_read_bytes(in_at, in_size)

        given = min(gas, computation.get_gas_remaining())
        computation.lend_energy(given)
        if moves and value:
            given += STIPEND

        state = computation.state
        poor = moves and state.get_balance(computation.msg.storage_address) < value
        if poor or computation.msg.depth + 1 > DEPTH_LIMIT:
            computation.return_data = b""
            computation.return_gas(given)
            computation.stack_push_int(0)
            return

        computation.transaction_context.internal_calls += 1
        child = computation.apply_child_computation(
            computation.prepare_child_message(
                gas=given,
                to=to,
                value=value,
                data=data,
                code=state.get_code(source),
                code_address=source,
                should_transfer_value=moves,
                is_static=static,
                **({} if sender is None else {"sender": sender}),
            )
        )
        computation.stack_push_int(0 if child.is_error else 1)
        if not child.should_erase_return_data:
            taken = min(out_size, len(child.output))
            computation.memory_write(out_at, taken, child.output[:taken])
        if child.should_return_gas:
            computation.return_gas(child.get_gas_remaining())


class TronCall(_TronCall, CallByzantium):
    mnemonic = "CALL"


class TronCallCode(_TronCall, CallCode):
    mnemonic = "CALLCODE"

    def compute_msg_extra_gas(self, computation: Any, gas: int, to: bytes, value: int) -> int:  # noqa: ARG002
        return VALUE_CALL_ENERGY if value else 0


class TronDelegateCall(_TronCall, DelegateCall):
    mnemonic = "DELEGATECALL"


class TronStaticCall(_TronCall, StaticCall):
    mnemonic = "STATICCALL"


def created_address(txid: bytes, nonce: int) -> bytes:
    """Return the 20 bytes at which the transaction's contract with that nonce comes to stand."""
    return keccak256(txid + nonce.to_bytes(8, "big"))[12:]


def salted_address(creator: bytes, salt: int, code: bytes) -> bytes:
    """Return CREATE2's 20 bytes: TRON's prefix 0x41 stands where Ethereum has 0xff."""
    return keccak256(PREFIX + creator + salt.to_bytes(32, "big") + keccak256(code))[12:]


class TronCreate(Opcode):
    """CREATE, and with `salted` CREATE2."""

    gas_cost = CREATE_ENERGY
    mnemonic = "CREATE"
    salted = False

    def __call__(self, computation: Any) -> None:
        if computation.msg.is_static:
            raise WriteProtection("Cannot modify state while inside of a STATICCALL context")
        value, start, size = computation.stack_pop_ints(3)
        salt = computation.stack_pop1_int() if self.salted else 0
        words = (size + 31) // 32 if self.salted else 0
        computation.consume_gas(CREATE_ENERGY + HASH_WORD_ENERGY * words, self.mnemonic)
        computation.extend_memory(start, size)
        state, run = computation.state, computation.transaction_context
        creator = computation.msg.storage_address
        if state.get_balance(creator) < value or computation.msg.depth + 1 > DEPTH_LIMIT:
            computation.return_data = b""
            computation.stack_push_int(0)
            return
        code = computation.memory_read_bytes(start, size)
        address = (
            salted_address(creator, salt, code)
            if self.salted
            else created_address(run.txid, run.internal_calls)
        )
        run.internal_calls += 1
        given = computation.get_gas_remaining()
        computation.lend_energy(given)
        if state.get_code(address):
            computation.stack_push_int(0)  # java-tron keeps what was lent here: the address is taken
            return
        child = computation.apply_child_computation(
            computation.prepare_child_message(
                gas=given, to=b"", value=value, data=b"", code=code, create_address=address
            )
        )
        if child.is_error:
            computation.stack_push_int(0)
        else:
            computation.stack_push_bytes(address)
        computation.return_gas(child.get_gas_remaining())


class TronCreate2(TronCreate):
    mnemonic = "CREATE2"
    salted = True


def selfdestruct(computation: Any) -> None:
    """SELFDESTRUCT: free, 25,000 when the heir is new; the code goes at once, the balance to the heir."""
    heir = computation.stack_pop1_bytes()[-20:].rjust(20, b"\x00")
    state, own = computation.state, computation.msg.storage_address
    if computation.msg.is_static:
        raise WriteProtection("Cannot modify state while inside of a STATICCALL context")
    if not state.account_exists(heir):
        computation.consume_gas(NEW_ACCOUNT_ENERGY, "SELFDESTRUCT")
    balance = state.get_balance(own)
    state.delta_balance(own, -balance)
    if heir != own:
        state.delta_balance(heir, balance)
    state.sheet.put(("code", PREFIX + own), None)
    state.sheet.put(("contract", PREFIX + own), None)
    raise Halt("SELFDESTRUCT")


class OutOfMemory(OutOfGas):
    """More than the 3 MiB of memory that a contract may use."""
