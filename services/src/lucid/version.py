"""Which releases are installed."""

from importlib import metadata

ROOMS = ("lucid", "lucid-kit", "lucid-proof", "lucid-blocks", "lucid-tron")


def release() -> str:
    """The release of the ops plane, which stands for the product's."""
    return metadata.version("lucid")


def releases() -> dict[str, str | None]:
    """The release of each room; None for one that is not installed: a node or an auditor has only its own."""
    return {room: _version(room) for room in ROOMS}


def _version(room: str) -> str | None:
    try:
        return metadata.version(room)
    except metadata.PackageNotFoundError:
        return None
