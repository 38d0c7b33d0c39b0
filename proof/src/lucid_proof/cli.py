"""The command `lucid-verify`: judges a bundle or a receipt; its first line and its exit code answer."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from lucid_proof import receipt, wording
from lucid_proof.errors import ProofError
from lucid_proof.report import Verdict
from lucid_proof.trust import TrustPolicy
from lucid_proof.verifier import verify

USAGE_ERROR: Final = Verdict.UNUSABLE.exit_code
_INTERRUPTED: Final = 130

_DESCRIPTION: Final = """\
Tells whether a recording is complete and unaltered, from one file, offline.

  lucid-verify BUNDLE [--trust trust.json]       judge a proof bundle
  lucid-verify receipt FILE --log DIR|URL        judge whether a log kept the promise of a receipt
"""

_EPILOG: Final = """\
exit codes:
  0   complete: closed, every chunk here, unaltered, anchored by whom the policy asks for
  1   altered: something is not what was recorded; the findings say what and where
  2   incomplete: in progress, abandoned, or with a gap
  3   not anchored by anyone the trust policy accepts (always so without --trust)
  64  unusable: not a bundle, damaged in transit, or wrong usage

example:
  lucid-verify session.lucid --trust trust.json
"""

_RECEIPT_EPILOG: Final = """\
exit codes:
  0   kept: the record stands in the log, in time
  1   broken: it does not, or came too late
  2   not yet due: it does not, and still may
  3   not the log that was promised, or not trusted
  64  unusable: not a receipt, the log cannot be read, or wrong usage

example:
  lucid-verify receipt session.receipt.json --log https://lucid.example/tlog --trust trust.json
"""


class _Parser(argparse.ArgumentParser):
    """argparse that ends with 64 on wrong usage: its own 2 means *incomplete* here."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `lucid-verify`; gives the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _receipt(given[1:]) if given[:1] == ["receipt"] else _bundle(given)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        # Only writing the answer can fail like this (a full disk, say): an answer not given is no "complete".
        _complain(f"the answer cannot be written: {error.strerror or error}")
        return USAGE_ERROR


def _bundle(arguments: Sequence[str]) -> int:
    parser = _Parser("lucid-verify", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=_Raw)
    parser.add_argument("bundle", metavar="BUNDLE", help="the file to judge (*.lucid)")
    parser.add_argument("--trust", metavar="FILE", help="trust policy (trust.json): who must have signed")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    parser.add_argument("--windows", action="store_true", help="list the window of time of every chunk")
    options = parser.parse_args(arguments)

    def judge(trust: TrustPolicy | None) -> int:
        report = verify(options.bundle, trust)
        if options.json:
            _print_json(report.to_json(windows=options.windows))
        else:
            _say(wording.bundle(report, options.bundle, every_window=options.windows))
        return report.verdict.exit_code

    return _with_trust(options.trust, judge, as_json=options.json)


def _receipt(arguments: Sequence[str]) -> int:
    parser = _Parser(
        "lucid-verify receipt",
        description="Tells whether a log kept the promise that a receipt states.",
        epilog=_RECEIPT_EPILOG,
        formatter_class=_Raw,
    )
    parser.add_argument("receipt", metavar="FILE", help="the receipt, as given when the session was created")
    parser.add_argument(
        "--log", metavar="DIR|URL", required=True, help="what `checkpoint` and `tile/` are below"
    )
    parser.add_argument("--trust", metavar="FILE", help="trust policy (trust.json): who must have signed")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    options = parser.parse_args(arguments)

    def judge(trust: TrustPolicy | None) -> int:
        report = receipt.check(Path(options.receipt), options.log, trust)
        if options.json:
            _print_json(report.to_json())
        else:
            _say(wording.receipt(report))
        return report.answer.exit_code

    return _with_trust(options.trust, judge, as_json=options.json)


def _with_trust(path: str | None, judge: Callable[[TrustPolicy | None], int], *, as_json: bool) -> int:
    try:
        trust = TrustPolicy.load(path) if path is not None else None
    except ProofError as error:
        if as_json:
            _print_json(
                {"advice": error.advice, "code": error.code, "error": str(error), "verdict": "unusable"}
            )
        _complain(f"the trust policy is unusable: {wording.printable(str(error))}\n{error.advice}")
        return USAGE_ERROR
    return judge(trust)


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of description and examples as they are."""


def _print_json(document: object) -> None:
    _say(json.dumps(document, indent=2))


def _say(text: str) -> None:
    """Print to stdout. If nobody reads it (`| head`, `>&-`), the exit code still answers."""
    if sys.stdout is None:
        return
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        print(text, flush=True)
    except BrokenPipeError:
        # Keep the interpreter from flushing into the closed pipe once more at exit.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _complain(text: str) -> None:
    if sys.stderr is not None:
        print(f"lucid-verify: {text}", file=sys.stderr)
