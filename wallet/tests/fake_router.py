"""The fake network with a payout router on it: ids spent once, batches whole, everything else as it is."""

from __future__ import annotations

from typing import Any

from builders import ALICE, USDT
from fake_tron import FakeTron

from lucid_tron import abi
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.keys.signing import keccak256
from lucid_tron.payouts.router import PAY_BATCH
from lucid_tron.usdt.transfers import TRANSFER_TOPIC
from lucid_tron.wallets.reading import payouts_of

ROUTER = Address.from_evm(bytes(range(100, 120)))
EACH = 110_000


class Reverted(Exception):
    def __init__(self, error: str, *values: Any) -> None:
        kinds = "(bytes32)" if values else "()"
        self.output = keccak256(f"{error}{kinds}".encode())[:4] if not values else b""
        self.name, self.values = error, values


class FakeRouterTron(FakeTron):
    def __init__(self, *names: str, **options: Any) -> None:
        self.spent: dict[bytes, int] = {}
        self.paid_times: dict[bytes, int] = {}
        self.poisoned: set[Address] = set()  # whom the token reverts for, without saying whom
        self.silent = True  # whether a revert names nobody
        self.rehearsals = 0
        super().__init__(*names, **options)

    def _execute(self, txid: bytes, signed: transaction.SignedTransaction) -> None:
        raw = transaction.decode(signed.raw)
        call = raw.contract
        if not isinstance(call, TriggerSmartContract) or call.contract_address != ROUTER:
            return super()._execute(txid, signed)
        assert txid not in self.mined
        self.executed.append(txid)
        self.mined[txid] = len(self.blocks)
        count = len(payouts_of(call.data))
        receipt: dict[str, Any] = {
            "id": txid.hex(),
            "blockNumber": len(self.blocks),
            "blockTimeStamp": self.clock.now_ms(),
            "contract_address": ROUTER.hex(),
            "receipt": {"energy_usage_total": EACH * count, "result": "SUCCESS"},
            "fee": EACH * count * self.energy_price,
        }
        self.receipts[txid] = receipt
        try:
            if raw.fee_limit < EACH * count * self.energy_price:
                receipt["receipt"]["result"] = "OUT_OF_ENERGY"
                raise Reverted("OutOfEnergy")
            receipt["log"] = self._pay(call.owner_address, call.data, commit=True)
        except Reverted:
            receipt["result"] = "FAILED"
            if receipt["receipt"]["result"] == "SUCCESS":
                receipt["receipt"]["result"] = "REVERT"
        return None

    def _pay(self, owner: Address, data: bytes, *, commit: bool) -> list[dict[str, Any]]:
        payouts = payouts_of(data)
        if owner != ALICE.address:
            raise Reverted("NotOperator")
        seen: set[bytes] = set()
        for id_, to, _amount in payouts:
            if id_ in self.spent or id_ in seen:
                raise Reverted("AlreadyPaid", id_)
            if to in self.frozen:
                raise Reverted("RecipientFrozen", id_, to.evm.rjust(32, b"\0"))
            if to in self.poisoned:
                raise Reverted("TransferFailed", *(() if self.silent else (id_,)))
            seen.add(id_)
        total = sum(amount for _, _, amount in payouts)
        if self.paused or self.usdt.get(ROUTER, 0) < total:
            raise Reverted("TransferFailed", payouts[0][0])
        if not commit:
            return []
        logs = []
        for id_, to, amount in payouts:
            self.spent[id_] = len(self.blocks)
            self.paid_times[id_] = self.paid_times.get(id_, 0) + 1
            self.usdt[ROUTER] -= amount
            self.usdt[to] = self.usdt.get(to, 0) + amount
            logs.append(_log(USDT, [TRANSFER_TOPIC, _word(ROUTER), _word(to)], amount))
            paid = keccak256(b"Paid(bytes32,bytes32,address,uint256)")
            logs.append(_log(ROUTER, [paid, id_, data[4:36], _word(to)], amount))
        return logs

    def _constant(self, body: dict[str, Any]) -> Any:
        if Address.parse(body["contract_address"]) != ROUTER:
            return super()._constant(body)
        arguments = bytes.fromhex(body["parameter"])
        good = {"result": {"result": True}, "transaction": {"ret": [{}]}}
        if body["function_selector"].startswith("isPaid"):
            spent = self.spent.get(arguments, 1 << 60) <= len(self.blocks) - 20
            return good | {"constant_result": [int(spent).to_bytes(32, "big").hex()], "energy_used": 700}
        self.rehearsals += 1
        data = abi.selector(PAY_BATCH) + arguments
        try:
            self._pay(Address.parse(body["owner_address"]), data, commit=False)
        except Reverted as error:
            kinds = {0: "()", 1: "(bytes32)", 2: "(bytes32,address)"}[len(error.values)]
            output = keccak256(f"{error.name}{kinds}".encode())[:4]
            output += b"".join(error.values)
            return {
                "result": {"result": True, "message": b"REVERT opcode executed".hex()},
                "energy_used": 500,
                "constant_result": [output.hex()],
                "transaction": {"ret": [{"ret": "FAILED"}]},
            }
        return good | {"constant_result": [], "energy_used": EACH * len(payouts_of(data))}


def _word(address: Address) -> bytes:
    return bytes(12) + address.evm


def _log(address: Address, topics: list[bytes], amount: int) -> dict[str, Any]:
    return {
        "address": address.evm.hex(),
        "topics": [topic.hex() for topic in topics],
        "data": amount.to_bytes(32, "big").hex(),
    }
