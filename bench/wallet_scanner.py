"""How many mainnet-size blocks a second the payment scanner counts.

    .venv/bin/python bench/wallet_scanner.py

A block has 300 transactions: half of them USDT transfers with their logs, the others transfers of TRX, with
the fields that mainnet's receipts have. Two nodes must agree, so each block is
fetched and decoded twice. Nodes answer from memory, so what is measured is the gateway: HTTP client, JSON,
filter, quorum, and the database with the cursor, on a real file. A payment in every tenth block is credited.
The peer is `json.loads` of the same bytes, once for each node, in the same run.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import httpx

from lucid_kit.clock import SystemClock
from lucid_kit.custody import KeyFile
from lucid_kit.documents import open_documents
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import Profile
from lucid_tron.codec.address import Address
from lucid_tron.gateway.service import Gateway, GatewayPolicy
from lucid_tron.payouts.models import PayoutPolicy
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.usdt.transfers import TRANSFER_TOPIC
from lucid_tron.wallets.deposits import Deposits, Reserved
from lucid_tron.wallets.models import Account, Cap
from lucid_tron.wallets.service import Wallets

BLOCKS, TRANSACTIONS, MINIMUM = 400, 300, 50.0
TOKEN = Address.parse("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
NODES = ("http://one", "http://two")
START_MS = 1_800_000_000_000


def transfer_log(chance: random.Random, to: bytes) -> dict[str, object]:
    return {
        "address": TOKEN.evm.hex(),
        "topics": [TRANSFER_TOPIC.hex(), "00" * 12 + chance.randbytes(20).hex(), "00" * 12 + to.hex()],
        "data": f"{10_000_000:064x}",
    }


def receipts(number: int, chance: random.Random, deposit: Address) -> bytes:
    """The answer of `gettransactioninfobyblocknum`, in mainnet's proportions and fields."""
    found = []
    for place in range(TRANSACTIONS):
        item: dict[str, object] = {
            "id": chance.randbytes(32).hex(),
            "blockNumber": number,
            "blockTimeStamp": START_MS + number * 3_000,
            "contractResult": [""],
            "receipt": {"net_usage": 267},
        }
        if place % 2:
            to = deposit.evm if place == 1 and number % 10 == 0 else chance.randbytes(20)
            item |= {
                "fee": 6_428_500,
                "contractResult": ["00" * 32],
                "contract_address": TOKEN.hex(),
                "receipt": {
                    "energy_fee": 6_428_500,
                    "energy_usage_total": 64_285,
                    "net_usage": 345,
                    "result": "SUCCESS",
                    "energy_penalty_total": 49_635,
                },
                "log": [transfer_log(chance, to)],
                "internal_transactions": [],
            }
        found.append(item)
    return json.dumps(found).encode()


def header(number: int) -> bytes:
    raw = {"number": number, "timestamp": START_MS + number * 3_000, "parentHash": "00" * 32}
    block_id = number.to_bytes(8, "big").hex() + "ab" * 24
    return json.dumps({"blockID": block_id, "block_header": {"raw_data": raw}}).encode()


class Signing(Wallets):
    """The wallets service, in this process: what is measured signs nothing and needs one address."""

    async def reserve(self, wallet_id: str, reservation: str) -> Reserved:
        return await Deposits(self._documents, self).reserve(await self.get(wallet_id), reservation)

    async def reserved(self, wallet_id: str, after: int = -1) -> list[Reserved]:
        return await Deposits(self._documents, self).list(await self.get(wallet_id), after, 1)


class Nodes:
    """Both nodes: blocks 1 to BLOCKS from memory, solid up to `head`."""

    def __init__(self) -> None:
        self.head = 1
        self.blocks: dict[int, bytes] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        match request.url.path.rpartition("/")[2]:
            case "getnowblock":
                return httpx.Response(200, content=header(self.head))
            case "getblock":
                return httpx.Response(200, content=header(int(body["id_or_num"])))
            case "gettransactioninfobyblocknum":
                return httpx.Response(200, content=self.blocks[body["num"]])
        return httpx.Response(404)


async def measure(directory: Path) -> tuple[float, float, float]:
    """Seconds to scan and to decode all blocks, and the mean size of one in bytes."""
    nodes, chance, clock = Nodes(), random.Random(7), SystemClock()
    http = httpx.AsyncClient(transport=httpx.MockTransport(nodes))
    client = TronClient.open(Profile("bench", None, NODES, TOKEN, 2, 1e6, 1_000_000), http=http)
    documents = await open_documents(f"sqlite:///{directory}/gateway.db")
    wallets = Signing(documents, KeyFile(directory / "kek"), clock)
    await wallets.prepare()
    await documents.ensure(*Deposits.collections)
    caps = {str(TOKEN): Cap(1 << 50, 1 << 50)}
    made = await wallets.import_phrase("treasury", "abandon " * 11 + "about", caps=caps)
    treasury = Account(made.id, made.address)
    policy = GatewayPolicy(PayoutPolicy(1, 1, 1))
    usdt = UsdtManager(client, TOKEN)
    gateway = Gateway(documents, wallets, treasury, client, usdt, policy, bytes(32), http, clock)
    await gateway.prepare()
    payment = await gateway.create(1 << 50, 90 * 86_400_000, "bench")
    nodes.blocks = {number: receipts(number, chance, payment.address) for number in range(2, BLOCKS + 2)}
    nodes.head = BLOCKS + 1

    start = time.perf_counter()
    for block in nodes.blocks.values():
        for _ in NODES:
            json.loads(block)
    decoding = time.perf_counter() - start
    start = time.perf_counter()
    counted = await gateway.scanner.run_once()
    scanning = time.perf_counter() - start
    credited = (await gateway.get(payment.id)).credited
    if counted != BLOCKS or credited != BLOCKS // 10 * 10_000_000:
        raise RuntimeError(f"{counted} blocks and {credited} units were counted")
    await client.close()
    await documents.close()
    return scanning, decoding, sum(map(len, nodes.blocks.values())) / BLOCKS


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        scanning, decoding, size = asyncio.run(measure(Path(directory)))
    rate = BLOCKS / scanning
    print(
        f"{rate:.0f} blocks a second ({BLOCKS} blocks of {TRANSACTIONS} transactions, {size / 1000:.0f} KB,"
        f" two nodes; must be ≥ {MINIMUM:.0f}); {scanning / decoding:.2f} × the time of bare json.loads"
    )
    return 0 if rate >= MINIMUM else 1


if __name__ == "__main__":
    sys.exit(main())
