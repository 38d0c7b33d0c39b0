"""`lucid version`: which release of each room is installed."""

from importlib import metadata

from lucid.cli.main import Context, command, main

ROOMS = ("lucid", "lucid-kit", "lucid-proof", "lucid-blocks", "lucid-tron")


def release() -> str:
    """The release of the ops plane, which stands for the product's."""
    return metadata.version("lucid")


@command(main, "version")
def version(context: Context) -> None:
    """Say which versions are installed."""
    found = {room: _version(room) for room in ROOMS}
    context.out.facts(found, list(found.items()))


def _version(room: str) -> str | None:
    try:
        return metadata.version(room)
    except metadata.PackageNotFoundError:
        return None  # a node or an auditor installs only its own room
