"""Byte for byte the same as tronweb and tronpy, over generated cases."""

import json as stdlib_json
import shutil
import subprocess
from dataclasses import replace
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest
from builders import ALICE, addresses, digests, keys, transactions
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tronpy import proto
from tronpy.keys import PrivateKey as TronpyKey

from lucid_tron.codec import json, wire
from lucid_tron.codec.contracts import (
    AccountPermissionUpdateContract,
    ContractType,
    TransferContract,
    TriggerSmartContract,
)
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.keys import mnemonic
from lucid_tron.keys.derivation import derive
from lucid_tron.keys.messages import sign_message
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.keys.typed_data import TypedData

HERE = Path(__file__).parent / "peers"
CACHE = Path(__file__).parents[2] / ".cache"
SAFE = 2**53 - 1  # what a number of JavaScript holds exactly
T = TypeVar("T")


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Generated cases as a list, so that one process answers them all."""
    cases: list[T] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: T) -> None:
        cases.append(case)

    collect()
    return cases


@pytest.fixture(scope="session")
def tronweb() -> Any:
    """Asks tronweb a list of questions. It is installed once for each version of the lock file."""
    lock = HERE / "package-lock.json"
    where = CACHE / f"tronweb-{sha256(lock.read_bytes()).hexdigest()[:16]}"
    where.mkdir(parents=True, exist_ok=True)
    with (where / "installing").open("w") as held:
        flock(held, LOCK_EX)
        if not (where / "installed").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, where)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL)
            (where / "installed").touch()
    shutil.copy(HERE / "peer.mjs", where)

    def ask(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answers = subprocess.run(
            ["node", "peer.mjs"],
            cwd=where,
            input=stdlib_json.dumps(questions).encode(),
            check=True,
            stdout=subprocess.PIPE,
        )
        found = stdlib_json.loads(answers.stdout)
        assert len(found) == len(questions)
        for question, answer in zip(questions, found, strict=True):
            assert "error" not in answer, (question, answer)
        return found

    return ask


def spelled_out(message: wire.Message) -> dict[str, Any]:
    """JSON with its defaults: tronweb sets every field it is given and fails on those it is not."""
    out = json.message_to_json(message)
    for plan in message.plans:
        name = {"state_mutability": "stateMutability"}.get(plan.name, plan.name)
        content = getattr(message, plan.name)
        if plan.repeated:
            out[name] = [spelled_out(item) if isinstance(item, wire.Message) else item for item in content]
        elif plan.kind.message is not None and content is not None:
            out[name] = spelled_out(content)
        elif plan.kind.enum is not None:
            out[name] = content.name
        elif content is not None and name not in out:
            out[name] = "" if plan.kind is wire.BYTES else plan.kind.default
    return out


def as_tronweb_takes_it(raw: RawTransaction) -> dict[str, Any]:
    raw_data = json.raw_to_json(raw)
    value = spelled_out(raw.contract)
    if isinstance(raw.contract, AccountPermissionUpdateContract):
        value["actives"] = value["actives"] or None
    raw_data["contract"][0]["parameter"]["value"] = value
    return {"visible": False, "raw_data": raw_data}


def cases_of_every_contract() -> list[tuple[RawTransaction, PrivateKey]]:
    """Some hundred transactions and keys; chance may leave out a contract: then more are drawn."""
    cases: list[tuple[RawTransaction, PrivateKey]] = []
    for _ in range(10):
        cases += drawn(st.tuples(transactions(SAFE, every_field=False), keys), 400 if not cases else 100)
        if {type(raw.contract).__name__ for raw, _ in cases} == set(ContractType.__members__):
            return cases
    raise AssertionError("1,300 transactions and a contract is in none of them")


def test_tronweb_makes_the_same_bytes_ids_and_signatures(tronweb: Any) -> None:
    cases = cases_of_every_contract()
    answers = tronweb(
        [
            {"ask": "transaction", "transaction": as_tronweb_takes_it(raw), "key": key.reveal().hex()}
            for raw, key in cases
        ]
    )
    for (raw, key), answer in zip(cases, answers, strict=True):
        signed = key.sign(raw)
        assert answer["raw"] == signed.raw.hex(), raw
        assert answer["txid"] == signed.txid.hex()
        assert answer["signature"].removeprefix("0x").lower() == signed.signatures[0].hex()


def test_tronweb_signs_the_same_messages(tronweb: Any) -> None:
    texts = drawn(st.tuples(st.text(st.characters(codec="utf-8")), keys), 60)
    answers = tronweb([{"ask": "message", "message": text, "key": key.reveal().hex()} for text, key in texts])
    for (text, key), answer in zip(texts, answers, strict=True):
        assert answer == {"signature": "0x" + sign_message(key, text).hex(), "signer": str(key.address)}
    blobs = drawn(st.tuples(st.binary(max_size=80), keys), 40)
    answers = tronweb([{"ask": "bytes", "message": b.hex(), "key": key.reveal().hex()} for b, key in blobs])
    for (blob, key), answer in zip(blobs, answers, strict=True):
        assert answer["signature"] == "0x" + sign_message(key, blob).hex()


def test_tronweb_hashes_and_signs_the_same_typed_data(tronweb: Any) -> None:
    types = {
        "Person": [("wallet", "address"), ("names", "string[]")],
        "Attestation": [
            ("subject", "Person"),
            ("witnesses", "Person[2]"),
            ("level", "uint8"),
            ("balance", "int256"),
            ("token", "trcToken"),
            ("matrix", "uint16[2][]"),
            ("nonce", "bytes32"),
            ("blob", "bytes"),
            ("valid", "bool"),
        ],
    }
    texts = st.text(st.characters(codec="utf-8"), max_size=9)
    people = st.fixed_dictionaries({"wallet": addresses, "names": st.lists(texts, max_size=3)})
    messages = st.fixed_dictionaries(
        {
            "subject": people,
            "witnesses": st.lists(people, min_size=2, max_size=2),
            "level": st.integers(0, 255),
            "balance": st.integers(-(2**255), 2**255 - 1),
            "token": st.integers(0, 2**256 - 1),
            "matrix": st.lists(st.lists(st.integers(0, 65535), min_size=2, max_size=2), max_size=3),
            "nonce": digests,
            "blob": st.binary(max_size=50),
            "valid": st.booleans(),
        }
    )
    domains = st.fixed_dictionaries(
        {"name": st.text("abc "), "chainId": st.integers(0, 2**32)},
        optional={"version": st.just("1"), "verifyingContract": addresses, "salt": digests},
    )
    cases = drawn(st.tuples(domains, messages), 60)

    def plain(value: Any) -> Any:
        match value:
            case dict():
                return {name: plain(item) for name, item in value.items()}
            case list():
                return [plain(item) for item in value]
            case bool():
                return value
            case int():
                return str(value)
            case bytes():
                return str(value) if len(value) == 21 and hasattr(value, "base58") else "0x" + value.hex()
        return value

    named = {struct: [{"name": n, "type": t} for n, t in fields] for struct, fields in types.items()}
    answers = tronweb(
        [
            {
                "ask": "typed",
                "domain": plain(domain),
                "types": named,
                "message": plain(message),
                "key": ALICE.reveal().hex(),
            }
            for domain, message in cases
        ]
    )
    for (domain, message), answer in zip(cases, answers, strict=True):
        data = TypedData(domain, types, "Attestation", message)
        assert answer["digest"] == "0x" + data.digest().hex()
        assert answer["signature"] == "0x" + data.sign(ALICE).hex()


def test_tronweb_derives_the_same_addresses(tronweb: Any) -> None:
    indexes = st.integers(0, 2**31 - 1)
    cases = drawn(
        st.tuples(st.binary(min_size=32, max_size=32).map(mnemonic.from_entropy), indexes, indexes), 6
    )
    answers = tronweb(
        [{"ask": "mnemonic", "phrase": phrase, "account": a, "index": i} for phrase, a, i in cases]
    )
    for (phrase, account, index), answer in zip(cases, answers, strict=True):
        assert answer["address"] == str(derive(mnemonic.seed(phrase), account, index).address)


def test_tronpy_makes_the_same_ids_and_signatures_where_it_can() -> None:
    # tronpy 0.6 serialises only these two contracts, and neither memo nor permission.
    simple = transactions(SAFE, every_field=False).filter(
        lambda raw: (
            isinstance(raw.contract, TransferContract)
            or (isinstance(raw.contract, TriggerSmartContract) and not raw.contract.token_id)
        )
    )
    for raw, key in drawn(st.tuples(simple, keys), 60):
        plain = replace(raw, data=b"", permission_id=0, timestamp=raw.timestamp or 1)
        data = json.raw_to_json(plain)
        data["contract"][0]["parameter"]["value"] = spelled_out(plain.contract)
        signed = key.sign(plain)
        assert proto.calculate_txid_from_raw_data(data) == signed.txid.hex()
        assert TronpyKey(key.reveal()).sign_msg_hash(signed.txid).tronweb_hex() == signed.signatures[0].hex()


def test_tronpy_signs_the_same_messages_and_has_the_same_addresses() -> None:
    for text, key in drawn(st.tuples(st.binary(max_size=80), keys), 40):
        theirs = TronpyKey(key.reveal())
        assert theirs.sign_msg(text).tronweb_hex() == sign_message(key, text).hex()
        assert theirs.public_key.to_base58check_address() == str(key.address)
