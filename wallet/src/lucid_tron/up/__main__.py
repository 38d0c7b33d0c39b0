"""Run the wallet plane, make a token for a person, or a new head of the payout ledger for one that was lost.

python -m lucid_tron.up --data DIR [--json]
python -m lucid_tron.up token --data DIR --subject carla --scope tron:approve --scope tron:read
python -m lucid_tron.up head --data DIR
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from lucid_kit import logs
from lucid_kit.clock import SystemClock
from lucid_kit.errors import LucidError
from lucid_kit.files import DirectoryLock, make_dirs
from lucid_tron.payouts.guard import Guard
from lucid_tron.up.directory import TOKEN_LIFE_S, Directory
from lucid_tron.up.run import Up
from lucid_tron.up.settings import UpSettings


def main(arguments: list[str]) -> int:
    """The exit status: 0, 130 after Ctrl-C, or 1 with what went wrong and what to do on stderr."""
    os.umask(0o077)
    logs.configure("tron-up", "warning")
    try:
        match arguments[:1]:
            case ["token"]:
                return _token(arguments[1:])
            case ["head"]:
                return _head(arguments[1:])
        return _up(arguments)
    except LucidError as error:
        print(f"lucid_tron.up: {error}\n  {error.advice}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _up(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lucid_tron.up", description="Run the wallet plane.")
    parser.add_argument("--data", type=Path, help="directory of the plane; else LUCID_TRON_UP_DATA")
    parser.add_argument("--json", action="store_true", help="one line of JSON when everything is ready")
    options = parser.parse_args(arguments)
    settings = UpSettings.load(**({"data": options.data} if options.data else {}))
    logs.configure("tron-up", settings.log_level)

    def ready(found: dict[str, Any]) -> None:
        if options.json:
            print(json.dumps(found), flush=True)
            return
        print(f"The wallet plane is ready on {found['network']}; the operator's token: {found['token_file']}")
        for name, where in found["services"].items():
            print(f"  {name:<8} {where}", flush=True)

    asyncio.run(Up(settings).run(ready))
    return 0


def _head(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lucid_tron.up head",
        description="Make the head of the payout ledger anew after its file was lost: payouts stay stopped"
        " until the books were recovered and accepted.",
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of the plane")
    head = Directory(parser.parse_args(arguments).data.absolute()).head
    make_dirs(head)
    with DirectoryLock(head, "a payout processor"):
        if not Guard.renew(head):
            print(f"There is a head in {head}; nothing was changed")
            return 1
    print(f"A new head is in {head}. Start, then recover the books: docs/payouts.md § A restored database")
    return 0


def _token(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lucid_tron.up token", description="Make a token for a person."
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of the plane")
    parser.add_argument("--subject", required=True, help="who it is for: named in every approval")
    parser.add_argument("--scope", action="append", required=True, help="tron:read, tron:approve, …")
    parser.add_argument("--hours", type=float, default=TOKEN_LIFE_S / 3600, help="how long it is valid")
    options = parser.parse_args(arguments)
    directory, clock = Directory(options.data.absolute()), SystemClock()
    if not options.subject.replace("-", "").replace("_", "").isalnum():
        parser.error("a subject is made of letters, digits, - and _")
    print(directory.mint_for(options.subject, tuple(options.scope), clock, int(options.hours * 3600)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
