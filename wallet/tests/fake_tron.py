"""A TRON network in memory: a chain with USDT on it, several nodes in front, and faults for each of them.

It speaks the HTTP of nodes through httpx.MockTransport, so that the client under test is the real one. It
knows only what these tests need: transfers of TRX and of one token, blocks, solidification, receipts.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
from builders import USDT

from lucid_kit.clock import ManualClock
from lucid_tron import abi
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import Profile
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TransferContract, TriggerSmartContract
from lucid_tron.codec.errors import CodecError
from lucid_tron.keys.signing import signers
from lucid_tron.usdt.transfers import TRANSFER_TOPIC

GENESIS = bytes(8) + bytes.fromhex("5f" * 24)
SOLID_LAG = 19
Answer = Any
Lie = Callable[[str, dict, Answer], Answer]


class FakeNode:
    """One door to the chain, with its own faults."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[str] = []
        self.down = False
        self.status = 200
        self.headers: dict[str, str] = {}
        self.lie: Lie | None = None
        self.behind = 0  # blocks by which it lags
        self.loses = False  # says `accepted` and forgets
        self.code: str | None = None  # what it answers to every broadcast


class FakeTron:
    def __init__(self, *names: str, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.nodes = {name: FakeNode(name) for name in names or ("a", "b")}
        self.blocks: list[dict[str, Any]] = []
        self.usdt: dict[Address, int] = {}
        self.trx: dict[Address, int] = {}
        self.frozen: set[Address] = set()
        self.paused = False
        self.rate, self.maximum_fee = 0, 0
        self.energy = 64_285
        self.energy_price = 100
        self.pending: dict[bytes, transaction.SignedTransaction] = {}
        self.receipts: dict[bytes, dict[str, Any]] = {}
        self.mined: dict[bytes, int] = {}
        self.executed: list[bytes] = []
        self._add_block([])
        for _ in range(SOLID_LAG + 5):
            self.mine()

    # --- the chain ---

    def _add_block(self, ids: list[bytes]) -> None:
        number = len(self.blocks)
        hash_ = GENESIS[8:] if number == 0 else sha256(b"%d" % number).digest()[8:]
        self.blocks.append(
            {
                "id": number.to_bytes(8, "big") + hash_,
                "time": 0 if number == 0 else self.clock.now_ms(),
                "txs": ids,
            }
        )

    def mine(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.advance(3000)
            ids = []
            for txid, signed in list(self.pending.items()):
                del self.pending[txid]
                # java-tron compares with the time of the block before.
                if transaction.decode(signed.raw).expiration > self.blocks[-1]["time"]:
                    ids.append(txid)
                    self._execute(txid, signed)
            self._add_block(ids)

    def solidify(self) -> None:
        self.mine(SOLID_LAG + 1)

    def _execute(self, txid: bytes, signed: transaction.SignedTransaction) -> None:
        assert txid not in self.mined
        self.executed.append(txid)
        number = len(self.blocks)
        self.mined[txid] = number
        raw = transaction.decode(signed.raw)
        receipt: dict[str, Any] = {
            "id": txid.hex(),
            "blockNumber": number,
            "blockTimeStamp": self.clock.now_ms(),
            "receipt": {},
        }
        self.receipts[txid] = receipt
        match raw.contract:
            case TransferContract(owner, to, amount):
                self.trx[owner] -= amount
                self.trx[to] = self.trx.get(to, 0) + amount
            case TriggerSmartContract(owner, contract, data=data):
                receipt["contract_address"] = contract.hex()
                receipt["receipt"] = {"energy_usage_total": self.energy, "result": "SUCCESS"}
                receipt["fee"] = self.energy * self.energy_price
                if raw.fee_limit < self.energy * self.energy_price:
                    receipt["receipt"]["result"], receipt["result"] = "OUT_OF_ENERGY", "FAILED"
                    return
                log = self._transfer(owner, data)
                if log is None:
                    receipt["receipt"]["result"], receipt["result"] = "REVERT", "FAILED"
                    receipt["resMessage"] = b"REVERT opcode executed".hex()
                else:
                    receipt["log"] = [log]

    def _transfer(self, owner: Address, data: bytes) -> dict[str, Any] | None:
        to, amount = abi.decode(("address", "uint256"), data[4:])
        if self.paused or owner in self.frozen or self.usdt.get(owner, 0) < amount:
            return None
        arrives = amount - min(amount * self.rate // 10_000, self.maximum_fee)
        self.usdt[owner] -= amount
        self.usdt[to] = self.usdt.get(to, 0) + arrives
        return {
            "address": USDT.evm.hex(),
            "topics": [TRANSFER_TOPIC.hex(), (bytes(12) + owner.evm).hex(), (bytes(12) + to.evm).hex()],
            "data": arrives.to_bytes(32, "big").hex(),
        }

    # --- the nodes ---

    def profile(self, quorum: int = 2) -> Profile:
        urls = tuple(f"http://{name}.example" for name in self.nodes)
        return Profile("fake", GENESIS, urls, USDT, quorum, 1e6, 1_000_000)

    def client(self, quorum: int = 2, attempts: int = 1, clock: Any = None) -> TronClient:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))
        return TronClient.open(
            self.profile(quorum), clock=clock or _Impatient(self.clock), http=http, attempts=attempts
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        node = self.nodes[request.url.host.partition(".")[0]]
        path = request.url.path
        body = json.loads(request.content or b"{}")
        node.calls.append(path)
        if node.down:
            raise httpx.ConnectError("refused", request=request)
        if node.status != 200:
            return httpx.Response(node.status, headers=node.headers)
        answer = self._answer(node, path, body)
        if node.lie is not None:
            answer = node.lie(path, body, answer)
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, json=answer)

    def _answer(self, node: FakeNode, path: str, body: dict[str, Any]) -> Answer:
        head = len(self.blocks) - 1 - node.behind
        solid = max(0, head - SOLID_LAG)
        top = solid if path.startswith("/walletsolidity") else head
        match path.rpartition("/")[2]:
            case "getnowblock":
                return self._block(top)
            case "getblockbynum":
                return self._block(body["num"]) if body["num"] <= head else {}
            case "gettransactioninfobyid":
                txid = bytes.fromhex(body["value"])
                return self.receipts[txid] if self.mined.get(txid, 1 << 60) <= top else {}
            case "gettransactioninfobyblocknum":
                return [self.receipts[txid] for txid in self.blocks[body["num"]]["txs"]]
            case "gettransactionbyid":
                txid = bytes.fromhex(body["value"])
                known = self.mined.get(txid, 1 << 60) <= top or (
                    txid in self.pending and not path.startswith("/walletsolidity")
                )
                return {"txID": txid.hex()} if known else {}
            case "getaccount":
                balance = self.trx.get(Address.parse(body["address"]))
                return {} if balance is None else {"address": body["address"], "balance": balance}
            case "getaccountresource":
                return {"freeNetLimit": 600}
            case "getchainparameters":
                return {
                    "chainParameter": [
                        {"key": "getEnergyFee", "value": self.energy_price},
                        {"key": "getTransactionFee", "value": 1000},
                        {"key": "getMaxFeeLimit", "value": 15_000_000_000},
                        {"key": "getMemoFee", "value": 1_000_000},
                        {"key": "getAllowUpdateAccountName"},
                    ]
                }
            case "triggerconstantcontract":
                return self._constant(body)
            case "broadcasthex":
                return self._broadcast(node, body["transaction"])
        raise AssertionError(path)

    def _block(self, number: int) -> dict[str, Any]:
        block = self.blocks[number]
        raw = {"number": number, "timestamp": block["time"]} if number else {}
        return {"blockID": block["id"].hex(), "block_header": {"raw_data": raw}}

    def _constant(self, body: dict[str, Any]) -> Answer:
        arguments = bytes.fromhex(body["parameter"])
        match body["function_selector"].partition("(")[0]:
            case "balanceOf":
                (who,) = abi.decode(("address",), arguments)
                value = self.usdt.get(who, 0)
            case "isBlackListed":
                (who,) = abi.decode(("address",), arguments)
                value = int(who in self.frozen)
            case "allowance":
                value = 7
            case "paused":
                value = int(self.paused)
            case "basisPointsRate":
                value = self.rate
            case "maximumFee":
                value = self.maximum_fee
            case "transfer" | "approve":
                owner = Address.parse(body["owner_address"])
                _, amount = abi.decode(("address", "uint256"), arguments)
                if self.paused or owner in self.frozen or self.usdt.get(owner, 0) < amount:
                    return {
                        "result": {"result": True, "message": b"REVERT opcode executed".hex()},
                        "energy_used": 500,
                        "constant_result": [
                            (bytes.fromhex("08c379a0") + abi.encode("(string)", ("not enough money",))).hex()
                        ],
                        "transaction": {"ret": [{"ret": "FAILED"}]},
                    }
                value = 0  # the token says false when it succeeds
            case other:
                raise AssertionError(other)
        return {
            "result": {"result": True},
            "energy_used": self.energy,
            "constant_result": [value.to_bytes(32, "big").hex()],
            "transaction": {"ret": [{}]},
        }

    def _broadcast(self, node: FakeNode, envelope: str) -> Answer:
        if node.code is not None:
            return {"result": False, "code": node.code, "message": b"no".hex()}
        try:
            signed = transaction.decode_signed(bytes.fromhex(envelope))
        except CodecError:
            return {"code": "OTHER_ERROR"}
        raw = transaction.decode(signed.raw)
        if signers(signed) != (raw.contract.owner_address,):
            return {"code": "SIGERROR"}
        if raw.expiration <= self.clock.now_ms():
            return {"code": "TRANSACTION_EXPIRATION_ERROR"}
        if node.loses:
            return {"result": True, "txid": signed.txid.hex()}
        if signed.txid in self.pending or signed.txid in self.mined:
            return {"code": "DUP_TRANSACTION_ERROR"}
        self.pending[signed.txid] = signed
        return {"result": True, "txid": signed.txid.hex()}


class _Impatient:
    """The chain's clock, on which nobody waits."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.slept: list[float] = []

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def monotonic_ms(self) -> int:
        return self._clock.monotonic_ms()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
