"""`lucid version`: which release of each room is installed."""

from lucid.cli.main import Context, command, main
from lucid.version import releases


@command(main, "version")
def version(context: Context) -> None:
    """Say which versions are installed."""
    found = releases()
    context.out.facts(found, list(found.items()))
