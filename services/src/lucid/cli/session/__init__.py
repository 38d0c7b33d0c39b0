"""`lucid session …`: make, watch, end, export, replay and forget recorded desktops. One file per command."""

from lucid.cli.main import main


@main.group("session")
def session() -> None:
    """Make, list, stop, export, replay and watch recorded desktops."""


from lucid.cli.session import create, delete, export, listing, replay, show, stop, video  # noqa: E402, F401
