"""Events and TRC-20 history as TronGrid gives them."""

from __future__ import annotations

from typing import Any

import pytest
from devnet_chain import ALICE, BOB, CAROL, TRANSFER, Api, Chain

from lucid_tron.devnet.accounts import SUN


@pytest.fixture
def api() -> Api:
    chain = Chain(options={"solid_lag": 1})
    chain.give(ALICE.address, trx=10_000 * SUN, usdt=1_000)
    for amount in (1, 2, 3):
        chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, amount)
    chain.invoke(ALICE.key, chain.usdt, "approve(address,uint256)", CAROL.address, 9)
    return Api(chain)


def get(api: Api, path: str, status: int = 200) -> Any:
    answer = api.client.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_events_of_a_contract_are_decoded_newest_first(api: Api) -> None:
    rows = get(api, f"/v1/contracts/{api.chain.usdt}/events?event_name=Transfer")["data"]
    assert [row["result"]["value"] for row in rows][:3] == ["3", "2", "1"]
    newest = rows[0]
    assert newest["event"] == "Transfer(address indexed from, address indexed to, uint256 value)"
    assert newest["result"]["from"] == "0x" + ALICE.address.evm.hex()
    assert newest["result"]["1"] == newest["result"]["to"] == "0x" + BOB.address.evm.hex()
    assert newest["result_type"] == {"from": "address", "to": "address", "value": "uint256"}
    assert newest["contract_address"] == api.chain.usdt.base58


def test_the_order_can_be_turned_and_the_unconfirmed_left_out(api: Api) -> None:
    path = f"/v1/contracts/{api.chain.usdt}/events?event_name=Transfer&order_by=block_timestamp,asc"
    assert [row["result"]["value"] for row in get(api, path)["data"]][-1] == "3"
    everything = get(api, f"/v1/contracts/{api.chain.usdt}/events")["data"]
    assert everything[0]["_unconfirmed"] is True
    confirmed = get(api, f"/v1/contracts/{api.chain.usdt}/events?only_confirmed=true")["data"]
    assert len(confirmed) == len(everything) - 1
    assert len(get(api, f"/v1/contracts/{api.chain.usdt}/events?only_unconfirmed=true")["data"]) == 1


def test_pages_follow_each_other_without_loss(api: Api) -> None:
    whole = get(api, f"/v1/contracts/{api.chain.usdt}/events")["data"]
    collected: list[Any] = []
    mark = ""
    for _ in range(10):
        page = get(api, f"/v1/contracts/{api.chain.usdt}/events?limit=2{mark}")
        collected += page["data"]
        if "fingerprint" not in page["meta"]:
            break
        mark = f"&fingerprint={page['meta']['fingerprint']}"
    assert collected == whole


def test_events_of_a_transaction_and_of_a_block(api: Api) -> None:
    block = api.chain.ledger.head
    entry = block.entries[0]
    of_transaction = get(api, f"/v1/transactions/{entry.txid.hex()}/events")["data"]
    assert [row["event_name"] for row in of_transaction] == ["Approval"]
    assert get(api, f"/v1/blocks/{block.number}/events")["data"] == of_transaction
    assert get(api, "/v1/blocks/latest/events")["data"] == of_transaction
    assert get(api, f"/v1/transactions/{'00' * 32}/events")["data"] == []


def test_times_bound_what_is_shown(api: Api) -> None:
    last = api.chain.ledger.head.timestamp
    path = f"/v1/contracts/{api.chain.usdt}/events?min_block_timestamp={last}"
    assert len(get(api, path)["data"]) == 1
    path = f"/v1/contracts/{api.chain.usdt}/events?max_block_timestamp={last - 1}&block_number=1"
    assert all(row["block_number"] == 1 for row in get(api, path)["data"])


def test_trc20_history_shows_both_sides_and_can_be_narrowed(api: Api) -> None:
    path = f"/v1/accounts/{ALICE.address}/transactions/trc20"
    rows = get(api, path)["data"]
    assert [(row["type"], row["value"]) for row in rows] == [
        ("Approval", "9"),
        ("Transfer", "3"),
        ("Transfer", "2"),
        ("Transfer", "1"),
        ("Transfer", "1000"),
    ]
    assert rows[0]["token_info"] == {
        "symbol": "USDT",
        "address": api.chain.usdt.base58,
        "decimals": 6,
        "name": "TetherToken",
    }
    assert [row["value"] for row in get(api, path + "?only_to=true")["data"]] == ["1000"]
    assert len(get(api, path + "?only_from=true")["data"]) == 4
    assert get(api, path + f"?contract_address={BOB.address}")["data"] == []
    assert len(get(api, path + f"?contract_address={api.chain.usdt}&limit=2")["data"]) == 2


def test_bad_questions_are_refused(api: Api) -> None:
    for path in (
        "/v1/contracts/nonsense/events",
        f"/v1/contracts/{api.chain.usdt}/events?limit=0",
        f"/v1/contracts/{api.chain.usdt}/events?limit=201",
        "/v1/transactions/zz/events",
        "/v1/blocks/zz/events",
    ):
        assert get(api, path, 400)["success"] is False


def test_logs_without_an_abi_are_shown_undecoded(api: Api) -> None:
    code = bytes.fromhex("60056000526001" + "6000" + "6020" + "6000" + "a2")
    address = api.chain.deploy(bytes.fromhex(f"60{len(code):02x}600c60003960{len(code):02x}6000f3") + code)
    api.chain.invoke(ALICE.key, address, "anything()")
    (row,) = get(api, f"/v1/contracts/{address}/events")["data"]
    assert (row["event_name"], row["result"]) == ("", {})
