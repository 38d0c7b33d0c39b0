"""Run contracts: `call` and `create`, the only doors to the interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth import exceptions
from eth.vm.message import Message
from eth_typing import Address as EthAddress

from lucid_tron.devnet import accounts
from lucid_tron.devnet.evm.calls import OutOfMemory
from lucid_tron.devnet.evm.computation import TronComputation
from lucid_tron.devnet.evm.host import PREFIX, BlockContext, Host, Run
from lucid_tron.devnet.state import Sheet

_RESULTS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.Revert, "REVERT"),
    (OutOfMemory, "OUT_OF_MEMORY"),
    (exceptions.OutOfGas, "OUT_OF_ENERGY"),
    (exceptions.InsufficientStack, "STACK_TOO_SMALL"),
    (exceptions.FullStack, "STACK_TOO_LARGE"),
    (exceptions.InvalidJumpDestination, "BAD_JUMP_DESTINATION"),
    (exceptions.InvalidInstruction, "ILLEGAL_OPERATION"),
    (exceptions.WriteProtection, "ILLEGAL_OPERATION"),
)


@dataclass(frozen=True, slots=True)
class Log:
    """An event as the machine leaves it: who wrote it (20 bytes), topics (32 bytes each) and data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `result` is java-tron's contractResult; energy includes the surcharge `penalty`."""

    result: str
    reason: str
    energy: int
    penalty: int
    output: bytes
    logs: tuple[Log, ...]

    @property
    def succeeded(self) -> bool:
        return self.result == "SUCCESS"


def call(
    sheet: Sheet,
    block: BlockContext,
    *,
    txid: bytes,
    caller: bytes,
    address: bytes,
    data: bytes,
    value: int,
    energy: int,
) -> Outcome:
    """Call the contract at `address` (21 bytes) with at most `energy`; on failure `sheet` is as it was."""
    host = Host(sheet, block)
    message = Message(
        gas=energy,
        to=EthAddress(address[1:]),
        sender=EthAddress(caller[1:]),
        value=value,
        data=data,
        code=host.get_code(address[1:]),
    )
    return _run(host, message, _new_run(sheet, txid, caller), create=False)


def create(
    sheet: Sheet,
    block: BlockContext,
    *,
    txid: bytes,
    caller: bytes,
    address: bytes,
    code: bytes,
    value: int,
    energy: int,
) -> Outcome:
    """Run creation code and keep what it returns as the code at `address`."""
    host = Host(sheet, block)
    message = Message(
        gas=energy,
        to=EthAddress(b""),
        sender=EthAddress(caller[1:]),
        value=value,
        data=b"",
        code=code,
        create_address=EthAddress(address[1:]),
    )
    return _run(host, message, _new_run(sheet, txid, caller), create=True)


class _Factors(dict[bytes, int]):
    """Dynamic-energy factors by 20-byte address, looked up when a frame first asks."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self._sheet = sheet

    def get(self, address: bytes, default: Any = 0) -> Any:
        found = accounts.contract(self._sheet, PREFIX + address)
        return found.energy_factor if found else default


def _new_run(sheet: Sheet, txid: bytes, caller: bytes) -> Run:
    return Run(txid=txid, origin=caller[1:], factors=_Factors(sheet))


def _run(host: Host, message: Message, run: Run, *, create: bool) -> Outcome:
    enter: Any = TronComputation.apply_create_message if create else TronComputation.apply_message
    ended: TronComputation = enter(host, message, run)
    host.settle()
    error = ended.error if ended.is_error else None
    result = "SUCCESS"
    if error is not None:
        result = next((name for kind, name in _RESULTS if isinstance(error, kind)), "UNKNOWN")
    return Outcome(
        result=result,
        reason="" if error is None else _reason(result, error),
        energy=ended.get_gas_used(),
        penalty=run.penalty,
        output=ended.output,
        logs=tuple(
            Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), data)
            for address, topics, data in ended.get_log_entries()
        ),
    )


def _reason(result: str, error: Exception) -> str:
    if result == "REVERT":
        return "REVERT opcode executed"
    if result == "OUT_OF_ENERGY":
        return f"Not enough energy: {error}"
    return str(error)
