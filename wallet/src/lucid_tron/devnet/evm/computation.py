"""One frame of a run: py-evm's computation, charging energy as java-tron does, surcharge included.

The surcharge of a step is ``floor(price * factor / 10000) - price`` of its whole price (java-tron VM.play),
so prices that py-evm takes in parts are added up before they are rounded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from eth.exceptions import Halt, InvalidInstruction, OutOfGas, VMError
from eth.vm.computation import BaseComputation, memory_gas_cost
from eth.vm.opcode import _FastOpcode
from eth.vm.opcode_values import STOP

from lucid_tron.devnet.evm.calls import OutOfMemory
from lucid_tron.devnet.evm.opcodes import TRON_OPCODES
from lucid_tron.devnet.evm.precompiles import PRECOMPILES
from lucid_tron.devnet.evm.translation import PLAIN, STUCK, parts_of

CODE_BYTE_ENERGY = 200
MEMORY_LIMIT = 3 * 1024 * 1024


_PLAIN_STEPS: list[tuple[int, Any] | None] = [
    (each.gas_cost, each.logic_fn) if isinstance(each := TRON_OPCODES.get(number), _FastOpcode) else None
    for number in range(256)
]


@lru_cache(maxsize=256)
def _jumps(code: bytes) -> tuple[set[int], set[int]]:  # noqa: ARG001  # the code is the cache's key
    return set(), set()


class TronComputation(BaseComputation):
    """A frame. `transaction_context` is a `Run`, `state` a `Host`."""

    opcodes = TRON_OPCODES

    def __init__(self, state: Any, message: Any, transaction_context: Any) -> None:
        super().__init__(state, message, transaction_context)
        self.run = transaction_context
        # Where one may jump to depends on the code alone: frames of the same code share what was found out.
        code: Any = self.code
        code.valid_positions, code.invalid_positions = _jumps(message.code)
        self.factor = PLAIN + transaction_context.factors.get(message.storage_address, 0)
        # py-evm looks these up by a property that is slower than most of what is done with them.
        for name in ("stack_pop_ints", "stack_pop1_int", "stack_pop1_bytes", "stack_push_int"):
            setattr(self, name, getattr(self._stack, name.removeprefix("stack_")))
        self._step = 0  # price of the present step, without surcharge
        self._surcharge = 0  # what was charged on top of it so far

    # -- energy
    def consume_gas(self, amount: int, reason: str) -> None:
        self._step += amount
        if self.factor != PLAIN:
            surcharge = self._step * self.factor // PLAIN - self._step
            amount += surcharge - self._surcharge
            self.run.penalty += surcharge - self._surcharge
            self._surcharge = surcharge
        left = self._gas_meter.gas_remaining - amount
        if left < 0:
            raise OutOfGas(f"{reason} needs {amount}, {left + amount} are left")
        self._gas_meter.gas_remaining = left

    def lend_energy(self, amount: int) -> None:
        """Set energy aside for a nested frame, without surcharge."""
        self._gas_meter.consume_gas(amount, "lent to a call")

    def burn(self) -> None:
        """Take all that is left."""
        self._gas_meter.consume_gas(self._gas_meter.gas_remaining, "the run failed")

    def extend_memory(self, start_position: int, size: int) -> None:
        if not size or start_position + size <= len(self._memory):
            return
        if start_position + size > MEMORY_LIMIT:
            raise OutOfMemory(f"{start_position + size} bytes of memory; the limit is {MEMORY_LIMIT}")
        before, after = memory_gas_cost(len(self._memory)), memory_gas_cost(start_position + size)
        if after > before:
            self.consume_gas(after - before, "memory")
        self._memory.extend(start_position, size)

    # -- running
    @classmethod
    def apply_message(
        cls, state: Any, message: Any, transaction_context: Any, parent_computation: Any = None
    ) -> TronComputation:
        snapshot = state.snapshot()
        if message.should_transfer_value and message.value:
            state.delta_balance(message.sender, -message.value)
            state.delta_balance(message.storage_address, message.value)
        computation = cls.apply_computation(state, message, transaction_context, parent_computation)
        if computation.is_error:
            state.revert(snapshot)
        return computation

    @classmethod
    def apply_create_message(
        cls, state: Any, message: Any, transaction_context: Any, parent_computation: Any = None
    ) -> TronComputation:
        snapshot = state.snapshot()
        state.create_contract(message.storage_address, message.sender, transaction_context.txid)
        computation = cls.apply_message(state, message, transaction_context, parent_computation)
        if computation.is_success:
            computation.keep_code(state, message.storage_address)
        if computation.is_error:
            state.revert(snapshot)
        return computation

    def keep_code(self, state: Any, address: bytes) -> None:
        """Store what the creation returned, at 200 energy a byte."""
        code = self.output
        try:
            if code[:1] == b"\xef":
                raise InvalidInstruction("code may not begin with 0xef")
            self._gas_meter.consume_gas(len(code) * CODE_BYTE_ENERGY, "storing code")
        except VMError as error:
            self.error = error
            self.burn()
            return
        state.set_code(address, code)

    @classmethod
    def apply_computation(
        cls,
        state: Any,
        message: Any,
        transaction_context: Any,
        parent_computation: Any = None,  # noqa: ARG003
    ) -> TronComputation:
        self = cls(state, message, transaction_context)
        try:
            precompile = None if message.is_create else PRECOMPILES.get(message.code_address)
            if precompile is not None:
                self.factor = PLAIN
                precompile(self)
                return self
            self._play()
        except Halt:
            pass
        except VMError as error:
            self.error = error
            if error.burns_gas:
                self.burn()
                self.return_data = b""
        return self

    def _play(self) -> None:
        """Run the code to its end: by parts where they are translated, else one instruction after another.

        Every instruction leaves at most one item of bytes, on top; here the stack holds integers only.
        """
        stack, memory, meter, code = (
            cast("Any", self._stack),
            cast("Any", self._memory),
            self._gas_meter,
            self.code,
        )
        values = stack.values
        part_at, raw, size = parts_of(self.msg.code, self.factor).at, self.msg.code, len(self.msg.code)
        place = 0
        while True:
            part = part_at(place)
            if (
                part is not None
                and meter.gas_remaining >= part.charge
                and part.need <= len(values) <= part.room
            ):
                follows = part.run(values, self, memory._bytes)
                if follows != STUCK:
                    place = follows
                    continue
            code.program_counter = place + 1
            self._step_by(raw[place] if place < size else STOP)
            place = code.program_counter
            if values and type(values[-1]) is not int:
                values[-1] = int.from_bytes(values[-1], "big")

    def _step_by(self, opcode: int) -> None:
        """One instruction. Most have one fixed price, which is charged here, for speed."""
        plain = _PLAIN_STEPS[opcode]
        if plain is None:
            self._step = self._surcharge = 0
            instruction = TRON_OPCODES.get(opcode)
            if instruction is None:
                raise InvalidInstruction(f"0x{opcode:02x} is no instruction")
            instruction(computation=self)
            return
        price, logic = plain
        charge = price * self.factor // PLAIN
        left = self._gas_meter.gas_remaining - charge
        if left < 0:
            raise OutOfGas(f"0x{opcode:02x} needs {charge}, {left + charge} are left")
        self._gas_meter.gas_remaining = left
        self.run.penalty += charge - price
        self._step, self._surcharge = price, charge - price
        logic(self)
