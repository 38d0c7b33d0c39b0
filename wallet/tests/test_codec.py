"""One transaction has one encoding, and everything else is refused by name."""

import dataclasses
from contextlib import suppress
from dataclasses import replace

import pytest
from builders import ALICE, BOB, CAROL, USDT, a_transaction, a_transfer, addresses, contracts, transactions
from hypothesis import given
from hypothesis import strategies as st

from lucid_tron.codec import json, transaction, wire
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import (
    CLASSES,
    AccountPermissionUpdateContract,
    FreezeBalanceV2Contract,
    Permission,
    ResourceCode,
    TransferContract,
    TriggerSmartContract,
    Vote,
    VoteWitnessContract,
)
from lucid_tron.codec.errors import (
    ChecksumMismatch,
    CodecError,
    ContractCount,
    ContractTypeMismatch,
    DefaultWritten,
    FieldOrder,
    InvalidText,
    JsonDisagrees,
    MalformedAddress,
    MalformedJson,
    MissingField,
    NonMinimalVarint,
    Truncated,
    UnknownContract,
    UnknownField,
    ValueOutOfRange,
    VarintOverflow,
    WrongWireType,
)
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction, decode, encode, txid
from lucid_tron.codec.verify import BuiltDiffers, Intended, verify_built

# --- the law ---


@given(transactions())
def test_what_is_encoded_decodes_to_itself(raw: RawTransaction) -> None:
    assert decode(encode(raw)) == raw


@given(transactions(), st.data())
def test_whatever_decodes_is_the_encoding_of_its_meaning(raw: RawTransaction, data: st.DataObject) -> None:
    encoded = bytearray(encode(raw))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(encoded) - 1))
        match data.draw(st.sampled_from(("change", "insert", "delete"))):
            case "change":
                encoded[place] = data.draw(st.integers(0, 255))
            case "insert":
                encoded.insert(place, data.draw(st.integers(0, 255)))
            case _:
                del encoded[place]
    try:
        found = decode(bytes(encoded))
    except CodecError:
        return
    assert encode(found) == encoded


@given(st.binary(max_size=400))
def test_no_bytes_make_the_decoder_fail_otherwise_than_by_name(junk: bytes) -> None:
    with suppress(CodecError):
        assert encode(decode(junk)) == junk


@given(transactions(), st.booleans())
def test_the_json_form_says_the_same_as_the_bytes(raw: RawTransaction, visible: bool) -> None:
    signed = SignedTransaction(encode(raw), (bytes(65),))
    assert json.signed_from_json(json.signed_to_json(signed, visible=visible)) == signed
    assert transaction.decode_signed(transaction.encode_signed(signed)) == signed


def test_every_contract_has_its_class() -> None:
    assert len(CLASSES) == 12
    assert all(kind.name == cls.__name__ for kind, cls in CLASSES.items())


# --- a known transaction of mainnet's form ---


def test_a_transfer_has_the_bytes_written_down_by_hand() -> None:
    owner, to = ALICE.address.hex(), BOB.address.hex()
    contract = "0a15" + owner + "1215" + to + "18c0843d"
    url = b"type.googleapis.com/protocol.TransferContract".hex()
    parameter = "0a2d" + url + "1232" + contract
    any_ = "080112" + f"{len(bytes.fromhex(parameter)):02x}" + parameter
    by_hand = (
        "0a023039" + "2208" + "89c5b1d4a3f0e267" + "40e0f4f4c2b134"
        + "5a" + f"{len(bytes.fromhex(any_)):02x}" + any_ + "7080a0f1c2b134"
    )  # fmt: skip
    assert encode(a_transaction()).hex() == by_hand


def test_usdt_has_the_address_everybody_knows() -> None:
    assert USDT.hex() == "41a614f803b6fd780986a42c78ec9c7f77e6ded13c"
    assert str(USDT) == "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
    assert Address.parse(USDT.hex()) == USDT
    assert Address.from_evm(USDT.evm) == USDT
    assert "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t" in repr(USDT)


# --- attacks on the bytes ---

MEANT = encode(a_transaction())


def outer(*pieces: str) -> bytes:
    return b"".join(bytes.fromhex(piece) for piece in pieces)


HEAD = "0a023039220889c5b1d4a3f0e26740e0f4f4c2b134"
TIME = "7080a0f1c2b134"


def test_the_pieces_used_below_make_a_valid_whole() -> None:
    body = MEANT[len(outer(HEAD)) : -len(outer(TIME))].hex()
    assert outer(HEAD, body, TIME) == MEANT


BODY = MEANT[len(outer(HEAD)) : -len(outer(TIME))].hex()


@pytest.mark.parametrize(
    ("encoded", "error"),
    [
        (MEANT[:-1], Truncated),
        (MEANT[: len(MEANT) // 2], Truncated),
        (MEANT + b"\x00", UnknownField),  # trailing bytes
        (MEANT + bytes.fromhex("a00101"), UnknownField),  # field 20
        (outer(HEAD, BODY, "7080a0f1c2b1b400"), NonMinimalVarint),
        (outer(HEAD, BODY, "70ffffffffffffffffffff01"), VarintOverflow),
        (outer(HEAD, BODY, "70ffffffffffffffffff7f"), VarintOverflow),
        (outer(HEAD, BODY, BODY, TIME), ContractCount),
        (outer(HEAD, TIME), ContractCount),
        (outer(BODY, HEAD, TIME), FieldOrder),
        (outer("0a023039", HEAD, BODY, TIME), FieldOrder),
        (outer(HEAD, "5200", BODY, TIME), DefaultWritten),  # an empty memo, written out
        (outer(HEAD, BODY, "7000"), DefaultWritten),
        (outer(HEAD, BODY, "7202abcd"), WrongWireType),
        (outer(HEAD, BODY, "71" + "00" * 8), WrongWireType),
        (outer("0a033039ff", HEAD[8:], BODY, TIME), ValueOutOfRange),
        (outer(HEAD[8:], BODY, TIME), MissingField),
        (outer("0a023039", "40e0f4f4c2b134", BODY, TIME), MissingField),
        (b"", ContractCount),
    ],
)
def test_bytes_that_could_mean_two_things_are_refused(encoded: bytes, error: type[CodecError]) -> None:
    with pytest.raises(error) as caught:
        decode(encoded)
    assert type(caught.value) is error


def nested_in_a_transaction(kind: int, url: str, parameter: bytes) -> bytes:
    any_ = wire.encode(transaction._Any("type.googleapis.com/protocol." + url, parameter))
    inner = b"\x08" + wire.varint(kind) + b"\x12" + wire.varint(len(any_)) + any_
    return outer(HEAD) + b"\x5a" + wire.varint(len(inner)) + inner + outer(TIME)


TRANSFER = wire.encode(a_transfer())


@pytest.mark.parametrize(
    ("encoded", "error"),
    [
        (nested_in_a_transaction(1, "TransferContract", TRANSFER + b"\x20\x01"), UnknownField),
        (nested_in_a_transaction(1, "TransferContract", TRANSFER[:-1]), Truncated),
        (nested_in_a_transaction(1, "TransferContract", TRANSFER[23:]), MissingField),
        (nested_in_a_transaction(1, "TransferContract", b"\x0a\x14" + TRANSFER[3:]), MalformedAddress),
        (nested_in_a_transaction(1, "TransferContract", b"\x0a\x15\xa0" + TRANSFER[3:]), MalformedAddress),
        (nested_in_a_transaction(2, "TransferAssetContract", TRANSFER), UnknownContract),
        (nested_in_a_transaction(1, "TriggerSmartContract", TRANSFER), ContractTypeMismatch),
        (
            nested_in_a_transaction(54, "FreezeBalanceV2Contract", TRANSFER[:23] + b"\x18\x07"),
            ValueOutOfRange,
        ),
        (
            nested_in_a_transaction(57, "DelegateResourceContract", TRANSFER[:23] + b"\x28\x02"),
            VarintOverflow,
        ),
        (
            nested_in_a_transaction(
                46, "AccountPermissionUpdateContract", TRANSFER[:23] + b"\x12\x03\x1a\x01\xff"
            ),
            InvalidText,
        ),
        (
            nested_in_a_transaction(
                46, "AccountPermissionUpdateContract", TRANSFER[:23] + b"\x12\x03\x12\x01\xff"
            ),
            WrongWireType,
        ),
        (
            nested_in_a_transaction(
                46, "AccountPermissionUpdateContract", TRANSFER[:23] + b"\x12\x06\x10\xff\xff\xff\xff\x0f"
            ),
            VarintOverflow,
        ),
    ],
)
def test_a_contract_that_is_not_canonical_is_refused(encoded: bytes, error: type[CodecError]) -> None:
    with pytest.raises(error) as caught:
        decode(encoded)
    assert type(caught.value) is error


def test_an_envelope_with_a_short_signature_is_refused() -> None:
    envelope = wire.encode(transaction._Envelope(MEANT, (bytes(64),)))
    with pytest.raises(ValueOutOfRange):
        transaction.decode_signed(envelope)


@pytest.mark.parametrize(
    "contract",
    [
        a_transfer(amount=2**63),
        a_transfer(amount=1.0),
        a_transfer(amount=True),
        a_transfer(to_address=bytes(BOB.address)),
        a_transfer(to_address=None),
        TriggerSmartContract(ALICE.address, USDT, data="aa"),
        FreezeBalanceV2Contract(ALICE.address, 1, 1),
        VoteWitnessContract(ALICE.address, [Vote(BOB.address, 1)]),
        VoteWitnessContract(ALICE.address, (Vote(BOB.address, 1),), 1),
        AccountPermissionUpdateContract(ALICE.address, a_transfer()),
        AccountPermissionUpdateContract(ALICE.address, Permission(permission_name=b"x")),
        AccountPermissionUpdateContract(ALICE.address, Permission(permission_name="\ud800")),
        AccountPermissionUpdateContract(ALICE.address, Permission(id=2**31)),
    ],
)
def test_a_value_without_an_encoding_is_refused(contract: TransferContract) -> None:
    with pytest.raises(ValueOutOfRange):
        encode(a_transaction(contract))


def test_a_negative_number_takes_ten_bytes_as_protobuf_says() -> None:
    raw = a_transaction(a_transfer(amount=-1))
    assert bytes.fromhex("18ffffffffffffffffff01") in encode(raw)
    assert decode(encode(raw)) == raw


def test_a_transaction_holds_exactly_one_contract() -> None:
    with pytest.raises(ContractCount):
        a_transaction(contracts=(a_transfer(), a_transfer()))


def test_something_that_is_no_contract_is_not_encoded() -> None:
    with pytest.raises(UnknownContract):
        encode(a_transaction(Vote(ALICE.address, 1)))  # type: ignore[arg-type]


# --- addresses ---


@given(addresses)
def test_an_address_is_read_back_from_both_of_its_forms(address: Address) -> None:
    assert Address.parse(str(address)) == address == Address.parse(address.hex())
    assert len(str(address)) == 34
    assert str(address).startswith("T")


@given(
    addresses,
    st.integers(1, 33),
    st.sampled_from("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"),
)
def test_a_mistyped_character_is_noticed(address: Address, place: int, character: str) -> None:
    text = str(address)
    if text[place] != character:
        with pytest.raises(MalformedAddress):
            Address.parse(text[:place] + character + text[place + 1 :])


def test_a_wrong_checksum_is_called_that() -> None:
    with pytest.raises(ChecksumMismatch):
        Address.parse("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "T",
        "0x41a614f803b6fd780986a42c78ec9c7f77e6ded13c",
        "41a614f803b6fd780986a42c78ec9c7f77e6ded13g",
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6",
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6tt",
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj0O",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",  # Bitcoin
        "T" * 10_000,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MalformedAddress):
        Address.parse(text)


def test_a_key_of_the_wrong_form_has_no_address() -> None:
    with pytest.raises(MalformedAddress):
        Address.of_public_key(bytes(33))


# --- JSON ---


def a_json() -> dict:
    return json.signed_to_json(
        SignedTransaction(encode(a_transaction(fee_limit=5, data=b"hi", permission_id=2)))
    )


def test_a_node_that_states_another_txid_is_caught() -> None:
    lie = a_json() | {"txID": txid(b"something else").hex()}
    with pytest.raises(JsonDisagrees):
        json.signed_from_json(lie)


def test_a_node_that_shows_one_transaction_and_gives_the_bytes_of_another_is_caught() -> None:
    lie = a_json() | {"raw_data_hex": encode(a_transaction(a_transfer(to_address=CAROL.address))).hex()}
    with pytest.raises(JsonDisagrees):
        json.signed_from_json(lie)


def changed(path: str, value: object) -> dict:
    data = a_json()
    del data["raw_data_hex"], data["txID"]
    *steps, last = path.split(".")
    place = data
    for step in steps:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    return data


VALUE = "raw_data.contract.0.parameter.value"


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (VALUE + ".extra", 1, UnknownField),
        (VALUE + ".amount", "1", ValueOutOfRange),
        (VALUE + ".amount", 1.5, ValueOutOfRange),
        (VALUE + ".amount", True, ValueOutOfRange),
        (VALUE + ".owner_address", None, MalformedJson),
        (VALUE + ".owner_address", str(ALICE.address), MalformedJson),  # base58 where visible is false
        (VALUE + ".owner_address", "42" * 21, MalformedAddress),
        (VALUE, [], MalformedJson),
        ("raw_data.contract.0.parameter", 1, MalformedJson),
        ("raw_data.contract.0.parameter.type_url", "type.googleapis.com/protocol.X", ContractTypeMismatch),
        ("raw_data.contract.0.type", "TransferAssetContract", UnknownContract),
        ("raw_data.contract.0.provider", "00", UnknownField),
        ("raw_data.contract.0.Permission_id", "2", ValueOutOfRange),
        ("raw_data.contract", [], ContractCount),
        ("raw_data.scripts", "00", UnknownField),
        ("raw_data.expiration", None, ValueOutOfRange),
        ("raw_data.ref_block_bytes", "zz", MalformedJson),
        ("raw_data.ref_block_bytes", "30 39", MalformedJson),
        ("raw_data", [], MalformedJson),
        ("signature", {}, MalformedJson),
        ("signature", ["00"], ValueOutOfRange),
    ],
)
def test_json_that_is_not_what_nodes_speak_is_refused(
    path: str, value: object, error: type[CodecError]
) -> None:
    with pytest.raises(error):
        json.signed_from_json(changed(path, value))


def test_the_json_left_alone_is_read() -> None:
    assert json.signed_from_json(changed("visible", False)).txid.hex() == a_json()["txID"]


def test_a_transaction_is_an_object() -> None:
    with pytest.raises(MalformedJson):
        json.signed_from_json([])


def test_enums_are_read_by_name_in_any_case_and_by_number() -> None:
    meant = FreezeBalanceV2Contract(ALICE.address, 5, ResourceCode.ENERGY)
    for resource in ("ENERGY", "energy", 1):
        data = json.message_to_json(meant) | {"resource": resource}
        assert json.message_from_json(FreezeBalanceV2Contract, data) == meant
    with pytest.raises(ValueOutOfRange):
        json.message_from_json(FreezeBalanceV2Contract, json.message_to_json(meant) | {"resource": True})


def test_a_list_is_a_list() -> None:
    with pytest.raises(MalformedJson):
        json.message_from_json(VoteWitnessContract, {"owner_address": ALICE.address.hex(), "votes": {}})


# --- what a node built, compared with what was meant ---


def intended(**changes: object) -> Intended:
    meant = Intended(a_transfer(), (1_800_000_000_000, 1_800_000_120_000), fee_limit_up_to=10, data=b"pay_1")
    return replace(meant, **changes)


HONEST = a_transaction(data=b"pay_1", fee_limit=10)


def test_an_honest_node_is_believed() -> None:
    built = encode(HONEST)
    assert verify_built(built, intended(), stated_txid=txid(built).hex().upper()) == HONEST


@pytest.mark.parametrize(
    ("lie", "field"),
    [
        (a_transaction(a_transfer(to_address=CAROL.address), data=b"pay_1"), "contract.to_address"),
        (a_transaction(a_transfer(amount=1_000_001), data=b"pay_1"), "contract.amount"),
        (a_transaction(a_transfer(owner_address=BOB.address), data=b"pay_1"), "contract.owner_address"),
        (a_transaction(TriggerSmartContract(ALICE.address, USDT), data=b"pay_1"), "contract"),
        (a_transaction(data=b"pay_2"), "data"),
        (a_transaction(data=b"pay_1", permission_id=2), "permission_id"),
        (a_transaction(data=b"pay_1", expiration=1_800_086_400_000), "expiration"),
        (a_transaction(data=b"pay_1", expiration=1_799_999_999_999), "expiration"),
        (a_transaction(data=b"pay_1", fee_limit=11), "fee_limit"),
        (a_transaction(data=b"pay_1", fee_limit=-1), "fee_limit"),
    ],
)
def test_each_field_a_node_changes_is_named(lie: RawTransaction, field: str) -> None:
    with pytest.raises(BuiltDiffers) as caught:
        verify_built(encode(lie), intended())
    assert set(caught.value.facts["differences"]) == {field}  # type: ignore[arg-type]


def test_a_wrong_txid_is_never_signed() -> None:
    with pytest.raises(BuiltDiffers, match="txID"):
        verify_built(encode(HONEST), intended(), stated_txid="00" * 32)


@given(contracts(), st.data())
def test_no_changed_field_of_any_contract_goes_unnoticed(
    contract: TransferContract, data: st.DataObject
) -> None:
    other = data.draw(contracts())
    for field in dataclasses.fields(contract):
        if type(other) is type(contract) and getattr(other, field.name) != getattr(contract, field.name):
            lie = replace(contract, **{field.name: getattr(other, field.name)})
            with pytest.raises(BuiltDiffers, match=field.name):
                verify_built(encode(a_transaction(lie)), intended(contract=contract, data=b""))
    verify_built(encode(a_transaction(contract)), intended(contract=contract, data=b""))
