"""`lucid session …`: make, watch, end, export, replay and forget recorded desktops. One file per command."""

import click

from lucid.cli.main import main
from lucid_kit.ids import is_id


@main.group("session")
def session() -> None:
    """Make, list, stop, export, replay and watch recorded desktops."""


class SessionId(click.ParamType[str]):
    """A session's id."""

    name = "session id"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None, /) -> str:
        if not is_id(value, "ses"):
            self.fail(f"{value!r} is no session id; `lucid session list` shows the ids", param, context)
        return value


of_session = click.argument("session_id", metavar="ID", type=SessionId())
"""The argument of a command about one session."""


from lucid.cli.session import create, delete, export, listing, replay, show, stop, video  # noqa: E402, F401
