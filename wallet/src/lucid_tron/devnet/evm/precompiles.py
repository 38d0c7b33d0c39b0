"""TRON's precompiled contracts 0x01-0x0a at their prices (java-tron PrecompiledContracts).

0x09 and 0x0a are TRON's own: signatures checked in a batch, and against an account's permission. 0x03 is not
RIPEMD-160 on TRON but a double SHA-256 cut to 20 bytes. The shielded and staking precompiles (0x01000000…)
are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import coincurve
from eth.precompiles.ecadd import ecadd
from eth.precompiles.ecmul import ecmul
from eth.precompiles.ecpairing import ecpairing
from eth.precompiles.identity import identity
from eth.precompiles.modexp import modexp
from eth.precompiles.sha256 import sha256

from lucid_tron.devnet import accounts
from lucid_tron.devnet.evm.host import PREFIX, keccak256

SIGNATURE_ENERGY = 1_500
MAX_BATCH, MAX_MULTISIGN = 16, 5


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """Return the 20-byte address that signed `digest`, or None; `signature` is r ‖ s ‖ v."""
    v = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if len(signature) != 65 or v > 1:
        return None
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes((v,)), digest, hasher=None
        )
    except Exception:  # noqa: BLE001  # coincurve raises bare Exception for a signature nobody made
        return None
    return keccak256(key.format(compressed=False)[1:])[12:]


def ecrecover(computation: Any) -> None:
    computation.consume_gas(3_000, "ecrecover")
    data = computation.msg.data_as_bytes.ljust(128, b"\x00")
    v = int.from_bytes(data[32:64], "big")
    if v in (27, 28):
        found = recover(data[:32], data[64:128] + bytes((v,)))
        computation.output = found.rjust(32, b"\x00") if found else b""


def double_sha256(computation: Any) -> None:
    data = computation.msg.data_as_bytes
    computation.consume_gas(600 + (len(data) + 31) // 32 * 120, "ripemd160")
    computation.output = hashlib.sha256(hashlib.sha256(data).digest()[:20]).digest()


def _words(data: bytes) -> list[bytes]:
    return [data[at : at + 32] for at in range(0, len(data) // 32 * 32, 32)]


def _number(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _byte_strings(words: list[bytes], data: bytes, at: int) -> list[bytes]:
    base = at // 32
    count = _number(words[base])
    found = []
    for index in range(min(count, MAX_BATCH + 1)):
        start = base + 1 + _number(words[base + 1 + index]) // 32
        size = _number(words[start])
        found.append(data[32 * start + 32 : 32 * start + 32 + size])
    return found


def batch_validate_sign(computation: Any) -> None:
    """``batchvalidatesign(bytes32, bytes[], address[])``: byte i is 1 when signature i is good."""
    data = computation.msg.data_as_bytes
    words = _words(data)
    computation.consume_gas(max(0, (len(words) - 5) // 6) * SIGNATURE_ENERGY, "batchvalidatesign")
    answer = bytearray(32)
    try:
        signatures = _byte_strings(words, data, _number(words[1]))
        base = _number(words[2]) // 32
        named = words[base + 1 : base + 1 + _number(words[base])]
    except IndexError:
        signatures, named = [], []
    if 0 < len(signatures) <= MAX_BATCH and len(signatures) == len(named):
        for index, (signature, name) in enumerate(zip(signatures, named, strict=True)):
            good = len(signature) == 65 and recover(words[0], signature) == name[12:]
            answer[index] = 1 if good else 0
    computation.output = bytes(answer)


def validate_multi_sign(computation: Any) -> None:
    """``validatemultisign(address, uint256 permission, bytes32, bytes[])``: 1 when enough signed."""
    data = computation.msg.data_as_bytes
    words = _words(data)
    computation.consume_gas(max(0, (len(words) - 5) // 5) * SIGNATURE_ENERGY, "validatemultisign")
    computation.output = bytes(31) + (b"\x01" if _reaches(computation, words, data) else b"\x00")


def _reaches(computation: Any, words: list[bytes], data: bytes) -> bool:
    try:
        signatures = _byte_strings(words, data, _number(words[3]))
        address, number = PREFIX + words[0][12:], _number(words[1])
    except IndexError:
        return False
    holder = accounts.account(computation.state.sheet, address)
    if holder is None or not 0 < len(signatures) <= MAX_MULTISIGN:
        return False
    permissions = {each.id: each for each in (holder.owner(), *holder.actives())}
    permission = permissions.get(number)
    if permission is None:
        return False
    digest = hashlib.sha256(address + number.to_bytes(4, "big") + words[2]).digest()
    signers = {recover(digest, each) for each in signatures if len(each) == 65}
    weights = dict(permission.keys)
    return sum(weights.get(PREFIX + each, 0) for each in signers if each) >= permission.threshold


def _at(number: int) -> bytes:
    return number.to_bytes(20, "big")


PRECOMPILES: dict[bytes, Callable[[Any], Any]] = {
    _at(1): ecrecover,
    _at(2): sha256,
    _at(3): double_sha256,
    _at(4): identity,
    _at(5): modexp,
    _at(6): ecadd(gas_cost=150),
    _at(7): ecmul(gas_cost=6_000),
    _at(8): ecpairing(gas_cost_base=45_000, gas_cost_per_point=34_000),
    _at(9): batch_validate_sign,
    _at(10): validate_multi_sign,
}
