"""The command `lucid-blocks`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lucid_blocks import admission
from lucid_blocks.app import open_node, run
from lucid_blocks.faults import NotInitialised
from lucid_blocks.home import GENESIS, initialise, load_genesis
from lucid_blocks.models import Params
from lucid_blocks.verify import verify
from lucid_kit import logs
from lucid_kit.clock import SystemClock
from lucid_kit.errors import LucidError
from lucid_kit.files import DirectoryLock

_EXAMPLE = """example:
  lucid-blocks init --data /var/lib/lucid/chain --name demo --recorder 3b6a27bc…
  lucid-blocks run --data /var/lib/lucid/chain --port 7200
  lucid-blocks verify --data /var/lib/lucid/chain
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status: 0, 1 (failed), 2 (usage)."""
    args = _parser().parse_args(argv)
    try:
        return int(args.command(args))
    except LucidError as error:
        if getattr(args, "json", False):
            print(json.dumps({"error": error.detail, "code": error.code, "advice": error.advice}))
        print(f"lucid-blocks: {error.detail} ({error.code})\n{error.advice}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"lucid-blocks: {error.filename or args.data}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _init(args: argparse.Namespace) -> int:
    genesis = initialise(args.data, args.name, args.recorder, SystemClock(), Params(block_ms=args.block_ms))
    if args.json:
        print(json.dumps({"chain": genesis.chain, "trust": genesis.trust().to_json()}))
    else:
        print(f"Made the chain {genesis.chain} in {args.data}.")
        print(f"Its trust policy: lucid-blocks trust --data {args.data} > trust.json")
        print(f"Next: lucid-blocks run --data {args.data}")
    return 0


def _trust(args: argparse.Namespace) -> int:
    print(json.dumps(load_genesis(args.data).trust().to_json(), indent=1))
    return 0


def _run(args: argparse.Namespace) -> int:
    logs.configure("chain", args.log_level)
    if not (args.data / GENESIS).is_file():
        raise NotInitialised(f"{args.data} holds no chain.", directory=args.data)

    def ready(url: str) -> None:
        head = node.view.head().header
        if args.json:
            facts = {"ready": True, "url": url, "chain": node.genesis.chain, "height": head.height}
            print(json.dumps(facts), flush=True)
        else:
            print(f"{node.genesis.chain} at height {head.height}, on {url}", flush=True)

    with DirectoryLock(args.data, "lucid-blocks run"):
        node = open_node(args.data, SystemClock())
        try:
            asyncio.run(run(node, args.host, args.port, ready))
        finally:
            node.ledger.close()
    return 0


def _verify(args: argparse.Namespace) -> int:
    began = last = time.monotonic()
    shown = sys.stderr.isatty()

    def progress(height: int, newest: int) -> None:
        nonlocal last
        if shown and time.monotonic() - last > 0.5:
            last = time.monotonic()
            print(f"\rblock {height} of {newest} …", end="", file=sys.stderr, flush=True)

    report = verify(args.data, progress)
    if shown:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    found = report.difference
    if args.json:
        print(json.dumps({**report.to_json(), "seconds": round(seconds, 3)}))
    elif found is None:
        print(
            f"Verified {report.chain}: {report.height + 1} blocks, {report.transactions} transactions,"
            f" {report.leaves} leaves re-executed in {seconds:.1f} s; all as stored and signed."
        )
    else:
        print(f"Differs at height {found.height}, {found.where}: {found.what}.")
        print("Keep the directory as it is, and compare it with another copy of the log (`tlog/`).")
    return 0 if found is None else 1


def _admission(args: argparse.Namespace) -> int:
    answer = admission.submit(args.data, args.url, args.kind, args.recorder, args.name)
    if args.json:
        print(json.dumps(answer))
    else:
        print(f"Accepted as transaction {answer['id']}; it takes effect with the next block.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lucid-blocks",
        description="The chain of Lucid: a log of session records with a signed block every ten seconds.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--data", type=Path, required=True, metavar="DIR", help="the chain's data directory")
        sub.add_argument("--json", action="store_true", help="print one JSON document")
        return sub

    init = command("init", "Make a new chain in an empty directory.")
    init.add_argument("--name", required=True, help="demo, or example.org/desks; gets a random ending")
    init.add_argument(
        "--recorder", nargs="+", action="extend", default=[], metavar="HEX", help="admitted public keys"
    )
    init.add_argument(
        "--block-ms", type=_positive, default=10_000, help="from block to block (default 10000)"
    )
    init.set_defaults(command=_init)

    start = command("run", "Serve the API and make a block on every slot.")
    start.add_argument("--host", default="127.0.0.1")
    start.add_argument("--port", type=int, default=0, help="0: the system chooses (default)")
    start.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    start.set_defaults(command=_run)

    check = command("verify", "Execute every block again from genesis and compare with all that is stored.")
    check.set_defaults(command=_verify)

    trust = command("trust", "Print the trust.json that checks this chain's evidence.")
    trust.set_defaults(command=_trust)

    for kind, text in (
        ("admit", "Let a recorder begin sessions."),
        ("revoke", "Let a recorder begin no more."),
    ):
        change = command(kind, text)
        change.add_argument("--url", required=True, help="where the chain runs, as `run` printed it")
        change.add_argument("--recorder", required=True, metavar="HEX", help="its public key")
        change.add_argument("--name", default="recorder", help="what people call it")
        change.set_defaults(command=_admission, kind=f"recorder.{kind}")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
