"""Runs of plain instructions as Python functions, so that contracts run several times as fast.

A *part* follows the instructions that only move, compute and read, from one place on, also through jumps to
where the code itself says. It ends before an instruction that does more (calls, stores, logs, what takes
more memory, …) and before whatever would fail: those the interpreter takes one at a time, at their prices
and with their errors. So a part never fails, and what it costs at most is known before it begins. A place is
translated when it has been reached a few times: creation code runs once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth.vm import opcode_values as op
from eth.vm.opcode import _FastOpcode

from lucid_tron.devnet.evm.opcodes import TRON_OPCODES

PLAIN = 10_000
STACK_LIMIT = 1024
STUCK = -1
"""What a part gives back when it could not even take its first instruction."""
_LONGEST, _OFTEN = 120, 8

# How many items an instruction takes, and what it puts back; `a` was on top, `b` below it.
_COMPUTING: dict[int, tuple[int, str]] = {
    op.ADD: (2, "({a} + {b}) & MAX"),
    op.MUL: (2, "({a} * {b}) & MAX"),
    op.SUB: (2, "({a} - {b}) & MAX"),
    op.DIV: (2, "{a} // {b} if {b} else 0"),
    op.MOD: (2, "{a} % {b} if {b} else 0"),
    op.LT: (2, "1 if {a} < {b} else 0"),
    op.GT: (2, "1 if {a} > {b} else 0"),
    op.SLT: (2, "1 if {a} ^ SIGN < {b} ^ SIGN else 0"),
    op.SGT: (2, "1 if {a} ^ SIGN > {b} ^ SIGN else 0"),
    op.EQ: (2, "1 if {a} == {b} else 0"),
    op.ISZERO: (1, "0 if {a} else 1"),
    op.AND: (2, "{a} & {b}"),
    op.OR: (2, "{a} | {b}"),
    op.XOR: (2, "{a} ^ {b}"),
    op.NOT: (1, "{a} ^ MAX"),
    op.SHL: (2, "{b} << {a} & MAX if {a} < 256 else 0"),
    op.SHR: (2, "{b} >> {a} if {a} < 256 else 0"),
}
_READING: dict[int, tuple[int, str]] = {
    op.ADDRESS: (0, "number(frame.msg.storage_address)"),
    op.CALLER: (0, "number(frame.msg.sender)"),
    op.CALLVALUE: (0, "frame.msg.value"),
    op.CALLDATASIZE: (0, "len(frame.msg.data)"),
    op.CALLDATALOAD: (1, "word(frame.msg.data_as_bytes, {a})"),
    op.RETURNDATASIZE: (0, "len(frame.return_data)"),
    op.SLOAD: (1, "frame.state.get_storage(frame.msg.storage_address, {a})"),
}


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _word(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 32].ljust(32, b"\x00"), "big")


_NAMES: dict[str, Any] = {
    "MAX": (1 << 256) - 1,
    "SIGN": 1 << 255,
    "number": _number,
    "word": _word,
}


@dataclass(frozen=True, slots=True)
class Part:
    """`run(values, frame, memory)` works on a stack of integers, pays, and gives the place that follows.

    It costs at most `charge`, and may run on a stack of `need` to `room` items.
    """

    run: Callable[[list[int], Any, bytearray], int]
    charge: int
    need: int
    room: int


class Parts:
    """The parts of one contract's code at one dynamic-energy factor, by the place where each begins."""

    def __init__(self, code: bytes, factor: int) -> None:
        self._code = code
        self._factor = factor
        self._targets = _targets(code)
        self._reached: Counter[int] = Counter()
        self._parts: dict[int, Part | None] = {}

    def at(self, place: int) -> Part | None:
        """The part that begins there; None if none does, or it is not worth translating yet."""
        try:
            return self._parts[place]
        except KeyError:
            self._reached[place] += 1
            if self._reached[place] < _OFTEN:
                return None
            part = self._parts[place] = _Translator(self._code, self._factor, self._targets, place).part()
            return part


@lru_cache(maxsize=256)
def parts_of(code: bytes, factor: int) -> Parts:
    """The parts of a contract, shared by all its frames."""
    return Parts(code, factor)


def _targets(code: bytes) -> frozenset[int]:
    """Where one may jump to: every JUMPDEST that is not inside of a PUSH."""
    found, place = [], 0
    while place < len(code):
        if code[place] == op.JUMPDEST:
            found.append(place)
        place += 1 + _pushed(code[place])
    return frozenset(found)


def _pushed(opcode: int) -> int:
    return opcode - op.PUSH0 if op.PUSH0 <= opcode <= op.PUSH32 else 0


class _Translator:
    """Walks one part with a stack of Python operands: numbers, and names of what was computed."""

    def __init__(self, code: bytes, factor: int, targets: frozenset[int], start: int) -> None:
        self._code = code
        self._targets = targets
        self._start = self._place = start
        self._factor = factor
        self._plain = self._charge = 0
        self._lines = ["def part(values, frame, memory):"]
        self._stack: list[str] = []
        self._condition = ""
        self._need = self._highest = 0

    def part(self) -> Part | None:
        for _ in range(_LONGEST):
            opcode = self._code[self._place] if self._place < len(self._code) else op.STOP
            follows = self._take(opcode) if isinstance(TRON_OPCODES.get(opcode), _FastOpcode) else None
            if follows is None:
                break
            price = TRON_OPCODES[opcode].gas_cost
            self._plain += price
            self._charge += price * self._factor // PLAIN
            if opcode == op.JUMPI:
                self._leave(follows, f"if {self._condition}:")
                follows = str(self._place + 1)
            if not follows.isdigit():
                break
            self._place = int(follows)
        if not self._plain:
            return None
        self._leave(follows or str(self._place))
        names: dict[str, Any] = dict(_NAMES, TARGETS=self._targets)
        exec("\n".join(self._lines), names)  # noqa: S102  # made of the forms above, names and numbers
        return Part(names["part"], self._charge, self._need, STACK_LIMIT - self._highest)

    def _take(self, opcode: int) -> str | None:
        """Note what an instruction does; where it leads, None if it does more than a part may."""
        follows = str(self._place + 1 + _pushed(opcode))
        if opcode in _COMPUTING or opcode in _READING:
            self._compute(opcode)
        elif opcode in (op.MLOAD, op.MSTORE):
            self._remember(opcode)
        elif opcode in (op.JUMP, op.JUMPI):
            return self._jump(opcode)
        elif op.PUSH0 <= opcode <= op.PUSH32:
            size = _pushed(opcode)
            pushed = self._code[self._place + 1 : self._place + 1 + size].ljust(size, b"\x00")
            self._push(str(_number(pushed)))
        elif op.DUP1 <= opcode <= op.DUP16:
            depth = opcode - op.DUP1 + 1
            self._reach(depth)
            self._push(self._stack[-depth])
        elif op.SWAP1 <= opcode <= op.SWAP16:
            depth = opcode - op.SWAP1 + 2
            self._reach(depth)
            self._stack[-1], self._stack[-depth] = self._stack[-depth], self._stack[-1]
        elif opcode == op.POP:
            self._pop()
        elif opcode != op.JUMPDEST:
            return None
        return follows

    def _compute(self, opcode: int) -> None:
        count, form = _COMPUTING.get(opcode) or _READING[opcode]
        items = [self._pop() for _ in range(count)]
        text = form.format(**dict(zip("ab", items, strict=False)))
        if opcode in _COMPUTING and all(item.isdigit() for item in items):
            self._push(str(eval(text, dict(_NAMES))))  # noqa: S307  # a form above, over numbers
        else:
            self._push(self._named(text))

    def _remember(self, opcode: int) -> None:
        """Memory that is there is used; to take more has a price, which the interpreter knows."""
        self._reach(1 if opcode == op.MLOAD else 2)
        start = self._stack[-1]
        self._leave(str(self._place), f"if {start} + 32 > len(memory):")
        self._pop()
        if opcode == op.MLOAD:
            self._push(self._named(f"number(memory[{start} : {start} + 32])"))
        else:
            self._lines.append(f" memory[{start} : {start} + 32] = ({self._pop()}).to_bytes(32, 'big')")

    def _jump(self, opcode: int) -> str | None:
        self._reach(1 if opcode == op.JUMP else 2)
        target = self._stack[-1]
        if target.isdigit() and int(target) not in self._targets:
            return None
        if not target.isdigit():
            self._leave(str(self._place), f"if {target} not in TARGETS:")
        self._pop()
        if opcode == op.JUMPI:
            self._condition = self._pop()
        return target

    def _leave(self, place: str, when: str = "") -> None:
        """Lines that put the stack in order, pay for what was done, and go on elsewhere."""
        if when:
            self._lines.append(f" {when}")
        indent = "  " if when else " "
        if place == str(self._start) and not self._plain:
            self._lines.append(f"{indent}return {STUCK}")
            return
        same = 0
        while same < min(len(self._stack), self._need) and self._stack[same] == f"s{self._need - same}":
            same += 1
        taken, put = self._need - same, "".join(f"{item}, " for item in self._stack[same:])
        if taken:
            self._lines.append(f"{indent}values[-{taken}:] = ({put})")
        elif put:
            self._lines.append(f"{indent}values += ({put})")
        self._lines.append(f"{indent}frame._gas_meter.gas_remaining -= {self._charge}")
        if self._charge != self._plain:
            self._lines.append(f"{indent}frame.run.penalty += {self._charge - self._plain}")
        self._lines.append(f"{indent}return {place}")

    def _named(self, text: str) -> str:
        name = f"v{len(self._lines)}"
        self._lines.append(f" {name} = {text}")
        return name

    def _reach(self, depth: int) -> None:
        """Have the uppermost `depth` items of the stack among the operands."""
        while len(self._stack) < depth:
            self._need += 1
            name = f"s{self._need}"
            self._lines.append(f" {name} = values[-{self._need}]")
            self._stack.insert(0, name)

    def _pop(self) -> str:
        self._reach(1)
        return self._stack.pop()

    def _push(self, item: str) -> None:
        self._stack.append(item)
        self._highest = max(self._highest, len(self._stack) - self._need)
