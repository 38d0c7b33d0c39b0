"""`lucid chain verify`: execute the chain anew from genesis and compare."""

import json
import subprocess
import sys

from lucid.cli.main import Context, command, main
from lucid.instance import NoInstance
from lucid_kit.errors import DomainError


class ChainDoesNotHold(DomainError):
    """The chain, executed anew from its genesis, is not the chain that is stored."""

    code = "LUCID_ERR_4023"
    advice = (
        "Stop the instance, keep this data directory as it is, and compare it with another copy of the log."
    )


@main.group("chain")
def chain() -> None:
    """Look at the chain of this instance."""


@command(chain, "verify")
def verify(context: Context) -> None:
    """Execute every block from genesis and compare states, roots, signatures and tiles with what is stored.

    Works while the instance runs and while it doesn't. Trusts nothing but the genesis.

    \b
    Example: lucid --data ./data chain verify
    """
    if not context.layout.chain.is_dir():
        raise NoInstance(f"{context.layout.data} holds no chain", data=context.layout.data)
    # The chain plane is another room: we start its own command and never import it.
    argv = [sys.executable, "-m", "lucid_blocks", "verify", "--data", str(context.layout.chain), "--json"]
    with context.out.waiting("executing the chain from genesis …"):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise ChainDoesNotHold(done.stderr.strip() or "The check ended without an answer") from None
    if done.returncode != 0:
        found = report.get("difference") or {}
        where = f"at height {found.get('height')}, {found.get('where')}: {found.get('what')}"
        raise ChainDoesNotHold(f"The chain differs {where}" if found else str(report.get("error")), **found)
    context.out.result(
        report,
        f"The chain holds: {report['height'] + 1} blocks, {report['transactions']} transactions, "
        f"a log of {report['leaves']} leaves, all as executed and signed.",
    )
