"""Translated contracts do what the interpreter does: the same result, energy, surcharge, logs and storage."""

from __future__ import annotations

from typing import Any

import pytest
from devnet_machine import BLOCK, CALLER, HERE, sheet_with
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid_tron.devnet.evm import machine, translation
from lucid_tron.devnet.evm.opcodes import TRON_OPCODES

NEVER = 10**9
EDGES = [0, 1, 2, 31, 32, 33, 255, 256, (1 << 255) - 1, 1 << 255, (1 << 256) - 1]
WORDS = st.one_of(st.sampled_from(EDGES), st.integers(0, 300), st.integers(0, 2**256 - 1))
PLAIN = [0x01, 0x02, 0x03, 0x04, 0x06, *range(0x10, 0x1A), 0x1B, 0x1C, 0x50, 0x54, 0x35, 0x51, 0x52]
OTHERS = [
    0x05,
    0x0A,
    0x0B,
    0x1A,
    0x1D,
    0x20,
    0x30,
    0x33,
    0x34,
    0x36,
    0x3D,
    0x42,
    0x53,
    0x55,
    0x58,
    0x59,
    0x5A,
]
ENDS = [0x00, 0xA1, 0xF3, 0xFD, 0xFE, 0xF1, 0x0C]


@st.composite
def programs(draw: Any) -> bytes:
    """Code that mostly makes sense: pushes, work on the stack, memory near 0, jumps to places of the code."""
    code, labels, holes = bytearray(b"\x36\x60\x07\x60\x60\x34" * 3), [], []
    for _ in range(draw(st.integers(1, 60))):
        match draw(st.integers(0, 9)):
            case 0 | 1 | 2:
                word = draw(WORDS)
                size = max(1, (word.bit_length() + 7) // 8)
                code += bytes([0x5F + size]) + word.to_bytes(size, "big")
            case 3:
                code.append(draw(st.integers(0x80, 0x9F)))
            case 4 | 5 | 6:
                code.append(draw(st.sampled_from(PLAIN)))
            case 7:
                code.append(draw(st.sampled_from(OTHERS + ENDS if draw(st.integers(0, 5)) == 0 else OTHERS)))
            case 8:
                labels.append(len(code))
                code.append(0x5B)
            case _:
                holes.append(len(code) + 1)
                code += bytes([0x61, 0, 0, draw(st.sampled_from([0x56, 0x57]))])
    for hole in holes:
        target = (
            draw(st.sampled_from(labels)) if labels and draw(st.integers(0, 9)) else draw(st.integers(0, 99))
        )
        code[hole : hole + 2] = target.to_bytes(2, "big")
    return bytes(code)


def outcome(code: bytes, often: int, energy: int, factor: int, data: bytes) -> tuple[Any, ...]:
    """All that one can see of a run, when places are translated that were reached so often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translation, "_OFTEN", often)
        translation.parts_of.cache_clear()
        sheet = sheet_with(code.hex(), factor=factor)
        for _ in range(2):
            ended = machine.call(
                sheet, BLOCK, txid=bytes(32), caller=CALLER, address=HERE, data=data, value=0, energy=energy
            )
    translation.parts_of.cache_clear()
    return ended, sheet.changes


@settings(max_examples=400, deadline=None)
@given(
    programs(),
    st.one_of(st.integers(0, 3_000), st.just(200_000)),
    st.sampled_from([0, 34_000, 7]),
    st.binary(max_size=40),
)
def test_every_program_ends_alike_translated_or_not(
    code: bytes, energy: int, factor: int, data: bytes
) -> None:
    expected = outcome(code, NEVER, energy, factor, data)
    assert outcome(code, 1, energy, factor, data) == expected
    assert outcome(code, 2, energy, factor, data) == expected


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_loop_ends_alike_wherever_its_energy_ends(data: st.DataObject) -> None:
    # i = 40; while (i) { memory[32 i] = i; i -= 1 }
    code = bytes.fromhex("6028 5b 80 80 60 05 1b 52 60 01 90 03 80 60 02 57 00".replace(" ", ""))
    energy = data.draw(st.integers(0, 4_000))
    assert outcome(code, 1, energy, 34_000, b"") == outcome(code, NEVER, energy, 34_000, b"")


@pytest.mark.parametrize("depth", [1023, 1024, 1025])
def test_the_stack_has_the_same_limit(depth: int) -> None:
    code = bytes.fromhex("6001") * depth + bytes.fromhex("00")
    assert outcome(code, 1, 10**6, 0, b"") == outcome(code, NEVER, 10**6, 0, b"")


def test_a_place_inside_of_a_push_is_no_target() -> None:
    for code in ("6004 56 61 5b5b 00", "6005 56 61 5b 5b 00", "60ff 56", "6000 35 56"):
        text = bytes.fromhex(code.replace(" ", ""))
        found = outcome(text, 1, 10**5, 0, (4).to_bytes(32, "big"))
        assert found == outcome(text, NEVER, 10**5, 0, (4).to_bytes(32, "big"))
        assert not found[0].succeeded


@pytest.mark.parametrize("opcode", sorted(translation._COMPUTING))
def test_what_is_computed_is_the_same_at_every_edge(opcode: int) -> None:
    assert TRON_OPCODES[opcode].gas_cost > 0
    returned = "600052 60206000f3"
    for below in EDGES:
        for top in EDGES:
            data = below.to_bytes(32, "big") + top.to_bytes(32, "big")
            read = bytes.fromhex(f"600035 602035 {opcode:02x} {returned}")
            known = bytes.fromhex(f"7f{data[:32].hex()} 7f{data[32:].hex()} {opcode:02x} {returned}")
            expected = outcome(read, NEVER, 10**5, 0, data)
            assert outcome(read, 1, 10**5, 0, data) == expected
            assert outcome(known, 1, 10**5, 0, b"")[0].output == expected[0].output


@pytest.mark.parametrize("start", [0, 1, 31, 32, 33, 63, 64])
@pytest.mark.parametrize("access", ["51", "6007 90 52"])
def test_memory_that_is_not_there_yet_is_paid_for(start: int, access: str) -> None:
    code = bytes.fromhex(
        f"6001 600052 6002 602052 60{start:02x} {access} 59 600052 60406000f3".replace(" ", "")
    )
    assert outcome(code, 1, 10**5, 34_000, b"") == outcome(code, NEVER, 10**5, 34_000, b"")
