"""``python -m lucid_tron.contracts``: list, deploy and verify Lucid's contracts."""

from __future__ import annotations

import argparse
import asyncio
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from lucid_kit.errors import LucidError, ValidationFailed
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import PROFILES
from lucid_tron.codec.address import Address
from lucid_tron.contracts.artefacts import NAMES, Artefact, artefact
from lucid_tron.contracts.deployment import constructor_types, deploy, verify
from lucid_tron.keys.signing import PrivateKey

EXAMPLES = """examples:
  python -m lucid_tron.contracts list
  python -m lucid_tron.contracts deploy PayoutRouter --node http://127.0.0.1:9090 --key-file deployer.key \\
      --record router.json \\
      --token T… --owner T… --operator T… --pauser T… \\
      --maxPayout 5000000000 --maxEpoch 50000000000 --epochSeconds 86400
  python -m lucid_tron.contracts verify PayoutRouter T… --network nile --node https://… --node https://…

Amounts are in the token's smallest unit (USDT: millionths). With several --node all of them must agree.
"""


class UnusableKeyFile(ValidationFailed):
    """The key file cannot be used."""

    code = "LUCID_ERR_1790"
    advice = "Put 64 hexadecimal digits into a file that only you can read (chmod 600)."


def read_key(path: Path) -> PrivateKey:
    """Read a private key from a file that nobody else can read.

    Raises
    ------
    UnusableKeyFile
        If it is not there or others may read it.
    InvalidPrivateKey
        If it holds no key.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableKeyFile(f"{path}: {getattr(error, 'strerror', 'not text')}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnusableKeyFile(f"{path} can be read by others (mode {stat.S_IMODE(mode):o})")
    return PrivateKey.from_hex(text.strip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lucid_tron.contracts",
        description="Lucid's contracts: what was compiled, put on a chain, checked on a chain.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="names, compilers and digests")
    network = argparse.ArgumentParser(add_help=False)
    network.add_argument("--network", choices=sorted(PROFILES), default="devnet")
    network.add_argument(
        "--node", action="append", default=[], metavar="URL", help="repeatable; all must agree"
    )
    deploying = commands.add_parser("deploy", parents=[network], help="put a contract on a chain")
    names = deploying.add_subparsers(dest="contract", required=True)
    for name in NAMES[1:]:
        one = names.add_parser(name, parents=[network])
        one.add_argument("--key-file", type=Path, required=True, help="the deployer's private key, mode 600")
        one.add_argument(
            "--record", type=Path, help="file kept of it: cut off, the same command goes on and deploys once"
        )
        for argument, kind in constructor_types(artefact(name)):
            one.add_argument(f"--{argument}", required=True, type=_reader(kind), metavar=kind.upper())
    checking = commands.add_parser(
        "verify", parents=[network], help="compare a contract on a chain with ours"
    )
    checking.add_argument("contract", choices=NAMES)
    checking.add_argument("address", type=Address.parse)
    return parser


def _reader(kind: str) -> type[int] | type[Address]:
    return Address.parse if kind == "address" else int  # type: ignore[return-value]


def _client(options: argparse.Namespace) -> TronClient:
    profile = PROFILES[options.network]
    nodes = tuple(options.node) or profile.nodes
    return TronClient.open(profile.at(*nodes, quorum=max(1, len(nodes))))


async def _deploy(options: argparse.Namespace) -> None:
    compiled = artefact(options.contract)
    key = read_key(options.key_file)
    values = {name: getattr(options, name) for name, _ in constructor_types(compiled)}
    async with _client(options) as client:
        address, receipt = await deploy(
            client,
            key,
            compiled,
            values,
            record=options.record,
            on_sent=lambda address, txid: print(f"sending {txid.hex()} for {address.base58}", flush=True),
        )
        print(f"{compiled.name} stands at {address.base58}")
        print(f"block {receipt.block_number}, {receipt.energy_used} energy, {receipt.fee / 1e6:.6f} TRX")
        await _check(client, address, compiled)


async def _verify(options: argparse.Namespace) -> None:
    async with _client(options) as client:
        await _check(client, options.address, artefact(options.contract))


async def _check(client: TronClient, address: Address, compiled: Artefact) -> None:
    found = await verify(client, address, compiled)
    print(f"{address.base58} is {compiled.name}, creation code sha256 {compiled.bytecode_sha256}")
    for name, value in found.arguments.items():
        print(f"  {name} = {value.base58 if isinstance(value, Address) else value}")


def _list() -> None:
    for name in NAMES:
        compiled = artefact(name)
        print(f"{name:16} {compiled.bytecode_sha256}  solc {compiled.compiler}")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when it is done, 1 when the chain or the check said no, 2 for wrong options."""
    try:
        options = _parser().parse_args(argv)
        if options.command == "list":
            _list()
        else:
            asyncio.run(_deploy(options) if options.command == "deploy" else _verify(options))
    except LucidError as error:
        print(f"{error.detail}\n{error.advice}", file=sys.stderr)
        return 1
    return 0
