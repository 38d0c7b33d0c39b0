"""`lucid session list`."""

from datetime import UTC, datetime
from typing import Any

import click

from lucid.cli.main import Context, command
from lucid.cli.output import size
from lucid.cli.session import session


@command(session, "list")
@click.option("--state", help="Only sessions in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
def listing(context: Context, state: str | None, limit: int) -> None:
    """List sessions, newest first.

    \b
    Example: lucid session list --state recording
    """
    document = context.api.get("/sessions", state=state, limit=limit)
    context.out.table(
        document,
        ("session", "name", "state", "verdict", "chunks", "stored", "anchored", "created"),
        (_row(each) for each in document["sessions"]),
        empty="No sessions. Make one with `lucid session create`.",
    )


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    return (
        each["id"],
        each.get("name"),
        each["state"],
        each["verdict"],
        each["chunks_acknowledged"],
        size(each.get("bytes_stored")),
        "yes" if each["anchored"] else "not yet",
        when(each.get("created_at")),
    )


def when(value: Any) -> str | None:
    """A time of the API (RFC 3339 or milliseconds) in the local zone, to the second."""
    if value is None:
        return None
    moment = (
        datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int) else datetime.fromisoformat(value)
    )
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
