"""The JSON form of transactions that TRON nodes and their client libraries speak.

Bytes are hexadecimal, defaults are left out, enums are names, addresses are hexadecimal or, in the *visible*
form, base58check. Reading is as strict as the binary codec about values, and believes nothing it can compute:
`raw_data_hex` and `txID` are compared with what `raw_data` encodes to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lucid_tron.codec import transaction, wire
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import CLASSES, TYPES, Contract, ContractType
from lucid_tron.codec.errors import (
    ContractCount,
    ContractTypeMismatch,
    JsonDisagrees,
    MalformedJson,
    UnknownContract,
    UnknownField,
    ValueOutOfRange,
)
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction

Json = dict[str, Any]
_URL = "type.googleapis.com/protocol."
# The one field whose protobuf name is in camel case.
_JSON_NAMES = {"state_mutability": "stateMutability"}
_RAW_FIELDS = frozenset(
    ("ref_block_bytes", "ref_block_hash", "expiration", "timestamp", "fee_limit", "data", "contract")
)


def message_to_json(value: wire.Message, *, visible: bool = False) -> Json:
    """One message as JSON, without the fields that have their defaults."""
    out: Json = {}
    for plan in value.plans:
        content = getattr(value, plan.name)
        name = _JSON_NAMES.get(plan.name, plan.name)
        if plan.repeated:
            if content:
                out[name] = [_value_to_json(plan.kind, item, visible) for item in content]
        elif content is not None and content != plan.kind.default:
            out[name] = _value_to_json(plan.kind, content, visible)
    return out


def _value_to_json(kind: wire.Kind, value: Any, visible: bool) -> Any:
    if kind.message is not None:
        return message_to_json(value, visible=visible)
    if kind.enum is not None:
        return value.name
    if isinstance(value, Address):
        return value.base58 if visible else value.hex()
    if isinstance(value, bytes):
        return value.hex()
    return value


def message_from_json(cls: type[wire.M], data: object, *, visible: bool = False) -> wire.M:
    """Read one message.

    Raises
    ------
    UnknownField
        If there is a field the message has not.
    MalformedJson, MalformedAddress, ValueOutOfRange
        If a value is not of the field's kind.
    """
    if not isinstance(data, Mapping):
        raise MalformedJson(f"{cls.__name__} is an object, not {type(data).__name__}")
    plans = {_JSON_NAMES.get(plan.name, plan.name): plan for plan in cls.plans}
    for name in data:
        if name not in plans:
            raise UnknownField(f"{cls.__name__} has no field {name!r}")
    found: dict[str, Any] = {}
    for name, plan in plans.items():
        content = data.get(name)
        where = f"{cls.__name__}.{name}"
        if content is None:
            if plan.kind.required and not plan.repeated:
                raise MalformedJson(f"{where} is missing")
        elif plan.repeated:
            if not isinstance(content, list):
                raise MalformedJson(f"{where} is a list, not {type(content).__name__}")
            found[plan.name] = tuple(_value_from_json(plan.kind, item, where, visible) for item in content)
        else:
            found[plan.name] = _value_from_json(plan.kind, content, where, visible)
    return cls(**found)


def _value_from_json(kind: wire.Kind, content: Any, where: str, visible: bool) -> Any:
    if kind.message is not None:
        return message_from_json(kind.message, content, visible=visible)
    if kind.enum is not None:
        return _enum_from_json(kind.enum, content, where)
    if kind in (wire.ADDRESS, wire.MAYBE_ADDRESS):
        if not isinstance(content, str) or (len(content) == 42) is visible:
            raise MalformedJson(f"{where} is an address in {'base58check' if visible else 'hexadecimal'}")
        return Address.parse(content)
    if kind is wire.BYTES:
        return _bytes_from_json(content, where)
    try:
        kind.write(content)
    except ValueOutOfRange as error:
        raise ValueOutOfRange(f"{where}: {error.detail}") from error
    return content


def _enum_from_json(kind: Any, content: Any, where: str) -> Any:
    # java-tron prints names and reads names and numbers; tronweb sends the ABI's lower-case words.
    for member in kind:
        if (type(content) is int and content == member.value) or (
            isinstance(content, str) and content.lower() == member.name.lower()
        ):
            return member
    raise ValueOutOfRange(f"{where}: {content!r} is no {kind.__name__}")


def _bytes_from_json(content: Any, where: str) -> bytes:
    try:
        # fromhex skips spaces, which two readers could treat differently.
        if isinstance(content, str) and not any(character.isspace() for character in content):
            return bytes.fromhex(content)
    except ValueError:
        pass
    raise MalformedJson(f"{where} is hexadecimal text")


def contract_to_json(contract: Contract, *, permission_id: int = 0, visible: bool = False) -> Json:
    """A contract with its type and parameter, as in `raw_data.contract[0]`."""
    name = TYPES[type(contract)].name
    out: Json = {
        "parameter": {"value": message_to_json(contract, visible=visible), "type_url": _URL + name},
        "type": name,
    }
    if permission_id:
        out["Permission_id"] = permission_id
    return out


def raw_to_json(raw: RawTransaction, *, visible: bool = False) -> Json:
    """`raw_data` as JSON."""
    out: Json = {
        "contract": [contract_to_json(raw.contract, permission_id=raw.permission_id, visible=visible)],
        "ref_block_bytes": raw.ref_block_bytes.hex(),
        "ref_block_hash": raw.ref_block_hash.hex(),
        "expiration": raw.expiration,
    }
    if raw.data:
        out["data"] = raw.data.hex()
    if raw.fee_limit:
        out["fee_limit"] = raw.fee_limit
    if raw.timestamp:
        out["timestamp"] = raw.timestamp
    return out


def raw_from_json(data: object, *, visible: bool = False) -> RawTransaction:
    """Read `raw_data`.

    Raises
    ------
    CodecError
        Of the class that names what is wrong.
    """
    if not isinstance(data, Mapping):
        raise MalformedJson(f"raw_data is an object, not {type(data).__name__}")
    for name in data:
        if name not in _RAW_FIELDS:
            raise UnknownField(f"raw_data has no field {name!r}")
    listed = data.get("contract")
    if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], Mapping):
        raise ContractCount("raw_data.contract is a list of exactly one object")
    (item,) = listed
    contract = _contract_from_json(item, visible)
    return RawTransaction(
        ref_block_bytes=_bytes_from_json(data.get("ref_block_bytes"), "raw_data.ref_block_bytes"),
        ref_block_hash=_bytes_from_json(data.get("ref_block_hash"), "raw_data.ref_block_hash"),
        expiration=_int_from_json(data.get("expiration"), "raw_data.expiration"),
        timestamp=_int_from_json(data.get("timestamp", 0), "raw_data.timestamp"),
        contracts=(contract,),
        fee_limit=_int_from_json(data.get("fee_limit", 0), "raw_data.fee_limit"),
        data=_bytes_from_json(data.get("data") or "", "raw_data.data"),
        permission_id=_int_from_json(item.get("Permission_id", 0), "contract.Permission_id", 32),
    )


def _int_from_json(content: Any, where: str, bits: int = 64) -> int:
    if type(content) is not int or not -(1 << (bits - 1)) <= content < 1 << (bits - 1):
        raise ValueOutOfRange(f"{where}: {content!r} is not an integer of {bits} bits")
    return content


def _contract_from_json(item: Mapping[str, Any], visible: bool) -> Contract:
    for name in item:
        if name not in ("parameter", "type", "Permission_id"):
            raise UnknownField(f"contract has no field {name!r}")
    try:
        kind = ContractType[str(item.get("type"))]
    except KeyError:
        raise UnknownContract(f"Contract type {item.get('type')!r} is not one Lucid signs") from None
    parameter = item.get("parameter")
    if not isinstance(parameter, Mapping):
        raise MalformedJson("contract.parameter is an object")
    if parameter.get("type_url", _URL + kind.name) != _URL + kind.name:
        raise ContractTypeMismatch(f"Contract type {kind.name} carries a {parameter['type_url']!r}")
    return message_from_json(CLASSES[kind], parameter.get("value"), visible=visible)


def signed_to_json(signed: SignedTransaction, *, visible: bool = False) -> Json:
    """A transaction as `/wallet/broadcasttransaction` takes it."""
    raw = transaction.decode(signed.raw)
    return {
        "visible": visible,
        "txID": signed.txid.hex(),
        "raw_data": raw_to_json(raw, visible=visible),
        "raw_data_hex": signed.raw.hex(),
        "signature": [signature.hex() for signature in signed.signatures],
    }


def signed_from_json(data: object) -> SignedTransaction:
    """Read a transaction with or without `raw_data_hex`, `txID` and signatures.

    The bytes are those that `raw_data` encodes to; what else the JSON says of them must agree.

    Raises
    ------
    JsonDisagrees
        If `raw_data_hex` or `txID` is not that of `raw_data`.
    CodecError
        Of the class that names what else is wrong.
    """
    if not isinstance(data, Mapping):
        raise MalformedJson(f"A transaction is an object, not {type(data).__name__}")
    raw = transaction.encode(raw_from_json(data.get("raw_data"), visible=data.get("visible") is True))
    stated = data.get("raw_data_hex")
    if stated is not None and _bytes_from_json(stated, "raw_data_hex") != raw:
        raise JsonDisagrees("raw_data_hex is not the encoding of raw_data", stated=str(stated)[:4096])
    if data.get("txID") and _bytes_from_json(data["txID"], "txID") != transaction.txid(raw):
        raise JsonDisagrees("txID is not the SHA-256 of raw_data", stated=str(data["txID"])[:64])
    signatures = data.get("signature", [])
    if not isinstance(signatures, list):
        raise MalformedJson("signature is a list")
    found = tuple(_bytes_from_json(item, "signature") for item in signatures)
    if any(len(item) != transaction.SIGNATURE_LENGTH for item in found):
        raise ValueOutOfRange("A signature has 65 bytes")
    return SignedTransaction(raw, found)
