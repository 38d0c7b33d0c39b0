"""`lucid up`: run an instance in the foreground."""

import asyncio
import json
import sys

import click

from lucid.cli.doctor import examine
from lucid.cli.main import Context, command, main
from lucid.instance import Running
from lucid.up.run import Up
from lucid.version import release
from lucid_kit import logs
from lucid_kit.errors import SystemFault


class MachineNotReady(SystemFault):
    """This machine lacks something that an instance needs."""

    code = "LUCID_ERR_5022"
    advice = "`lucid doctor` lists everything, each with the command that mends it."


@command(main, "up")
@click.option(
    "--name",
    default="lucid.local/instance",
    show_default=True,
    help="What the chain's id begins with, when it is made.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the API; 0 lets the system choose."
)
@click.option(
    "--with-wallet",
    is_flag=True,
    help="Run the wallet plane too: on a devnet of its own, or on the network that LUCID_TRON_UP_… names.",
)
def up(context: Context, name: str, port: int, with_wallet: bool) -> None:
    """Run a whole instance on this machine, in the foreground; Ctrl-C ends it.

    With --json it prints one line when it is ready, with `api` and `pid`.

    \b
    Example: lucid --data ./data up
    """
    logs.configure("up", "info" if context.verbose else "error")
    missing = [finding for finding in examine(context.layout.data) if not finding.well]
    if missing:
        raise MachineNotReady("; ".join(f"{each.what}: {each.detail} ({each.mend})" for each in missing))

    def ready(running: Running) -> None:
        if context.out.as_json:
            line = {"api": running.api, "pid": running.pid, "services": dict(running.services)}
            click.echo(json.dumps({**line, "data": str(context.layout.data)}))
            sys.stdout.flush()
            return
        context.out.result(
            {},
            f"Ready: {running.api} (process {running.pid}). Ctrl-C ends it.",
            f"Make a recorded desktop: lucid --data {context.layout.data} session create",
        )

    def progress(text: str) -> None:
        if not context.out.as_json:
            context.out.note(text)

    runner = Up(
        context.layout,
        name=name,
        api_port=port,
        version=release(),
        progress=progress,
        with_wallet=with_wallet,
    )
    asyncio.run(runner.run(ready))
