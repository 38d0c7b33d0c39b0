"""``lucid-tron-devnet``: start a development network and print where it is."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

import uvicorn

from lucid_tron.devnet.api.app import create_app
from lucid_tron.devnet.api.view import Node
from lucid_tron.devnet.faults import Faults, UnknownFault
from lucid_tron.devnet.genesis import MAINNET_USDT_FACTOR, Network, found
from lucid_tron.devnet.params import Parameters, UnknownParameter

HOST = "127.0.0.1"

EXAMPLES = """examples:
  lucid-tron-devnet --port 9090                      a block every 3 s, solid after 19 more
  lucid-tron-devnet --port 0 --json --block-time 0   a block for every transaction, for tests
  lucid-tron-devnet --ports 2 --fault 2:lie=balance  two nodes of one chain, the second lies

It listens on 127.0.0.1 only. Its keys are known to everybody: nothing on it has value.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lucid-tron-devnet",
        description="A TRON-compatible development network in one process. It is not java-tron.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=9090, metavar="N", help="port of the first node; 0 takes a free one")
    add(
        "--ports",
        type=int,
        default=1,
        metavar="N",
        help="how many nodes the chain has, each on a port of its own",
    )
    add("--json", action="store_true", help="print one line of JSON when ready")
    add(
        "--block-time",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="seconds between blocks; 0 seals one for every transaction (default 3)",
    )
    add("--manual", action="store_true", help="seal blocks only on POST /admin/mine")
    add(
        "--solid-lag",
        type=int,
        default=19,
        metavar="BLOCKS",
        help="blocks until one is irreversible (default 19)",
    )
    add("--seed", default="lucid-devnet", help="what all keys are derived from (default lucid-devnet)")
    add(
        "--unfreeze-delay",
        type=float,
        metavar="SECONDS",
        help="wait for an unfrozen stake (default: getUnfreezeDelayDays, 14 days)",
    )
    add(
        "--usdt-energy-factor",
        type=int,
        default=MAINNET_USDT_FACTOR,
        metavar="N",
        help="dynamic-energy surcharge of USDT in ten-thousandths (default 34000, mainnet's)",
    )
    add(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a chain parameter; repeatable"
    )
    add(
        "--fault",
        action="append",
        default=[],
        metavar="[NODE:]NAME=VALUE",
        help="turn a fault knob at the start, of every node or of one (1, 2, …); repeatable",
    )
    return parser


def _faults(given: Sequence[str], count: int) -> list[Faults]:
    nodes = [Faults() for _ in range(count)]
    for text in given:
        which, colon, rest = text.partition(":")
        name, equals, value = (rest if colon else text).partition("=")
        if not equals:
            raise UnknownFault(f"{text!r} is not [NODE:]NAME=VALUE")
        chosen = nodes
        if colon:
            if not which.isdigit() or not 1 <= int(which) <= count:
                raise UnknownFault(f"there is no node {which!r}; there are {count}")
            chosen = [nodes[int(which) - 1]]
        try:
            knob: object = value.split(",") if name == "lie" else int(value)
        except ValueError:
            raise UnknownFault(f"{name} is a number, not {value!r}") from None
        for each in chosen:
            each.change({name: knob})
    return nodes


def _parameters(options: argparse.Namespace) -> Parameters:
    parameters = Parameters()
    for text in options.parameter:
        name, _, value = text.partition("=")
        try:
            parameters.change(name, int(value))
        except UnknownParameter:
            raise ValueError(f"there is no chain parameter {name!r}") from None
        except ValueError:
            raise ValueError(f"{name} is a number, not {value!r}") from None
    if options.unfreeze_delay is not None:
        parameters.unfreeze_delay_ms = int(options.unfreeze_delay * 1000)
    return parameters


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: one process has several servers and one end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


async def serve(
    network: Network, nodes: Sequence[Node], sockets: Sequence[socket.socket], ready: Any
) -> None:
    """Serve every node on its socket until SIGTERM or SIGINT; `ready` is called when all listen."""
    servers = [
        _Server(
            uvicorn.Config(
                create_app(node), log_level="critical", access_log=False, lifespan="off", ws="none"
            )
        )
        for node in nodes
    ]
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    running = [
        asyncio.create_task(server.serve([each])) for server, each in zip(servers, sockets, strict=True)
    ]
    for server in servers:
        await server.listening.wait()
    ready()
    ticking = asyncio.create_task(_tick(network))
    await ended.wait()
    ticking.cancel()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running, return_exceptions=True)


async def _tick(network: Network) -> None:
    """Seal a block at every slot; without an interval blocks come with transactions or on request."""
    ledger = network.ledger
    while ledger.interval_ms:
        now = ledger.now_ms()
        await asyncio.sleep((ledger.interval_ms - now % ledger.interval_ms) / 1000)
        ledger.seal()


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal: exit code 0. 64 for options that make no sense, 1 for a taken port."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        if not 1 <= options.ports <= 16:
            raise ValueError("--ports is a number from 1 to 16")
        if options.block_time < 0 or options.solid_lag < 0:
            raise ValueError("--block-time and --solid-lag are not negative")
        faults = _faults(options.fault, options.ports)
        parameters = _parameters(options)
    except ValueError as error:
        print(f"{parser.prog}: {error}\nSee {parser.prog} --help.", file=sys.stderr)
        return 64
    try:
        sockets = [_listen(options.port + index if options.port else 0) for index in range(options.ports)]
    except OSError as error:
        print(
            f"{parser.prog}: cannot listen on {HOST}:{options.port}: {error.strerror}.\n"
            "Choose another --port, or 0 for a free one.",
            file=sys.stderr,
        )
        return 1
    instant = options.block_time == 0 and not options.manual
    network = found(
        seed=options.seed,
        parameters=parameters,
        solid_lag=options.solid_lag,
        interval_ms=0 if options.manual else int(options.block_time * 1000),
        usdt_factor=options.usdt_energy_factor,
    )
    nodes = [Node(network, each, instant) for each in faults]
    urls = [f"http://{HOST}:{each.getsockname()[1]}" for each in sockets]
    asyncio.run(serve(network, nodes, sockets, lambda: _announce(network, urls, as_json=options.json)))
    return 0


def _announce(network: Network, urls: list[str], *, as_json: bool) -> None:
    facts = {
        "url": urls[0],
        "urls": urls,
        "usdt": network.usdt.base58,
        "faucet": {"address": network.faucet_address.base58, "private_key": network.faucet.secret.hex()},
        "chain_id": network.ledger.chain_id,
    }
    if as_json:
        print(json.dumps(facts), flush=True)
        return
    print(f"TRON-compatible development network on {' '.join(urls)}")
    print(f"USDT {facts['usdt']}   faucet {network.faucet_address.base58}")
    print(f"Faucet key {network.faucet.secret.hex()} (worthless). Ctrl-C ends it.", flush=True)
