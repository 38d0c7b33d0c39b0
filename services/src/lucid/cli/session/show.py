"""`lucid session show`."""

from lucid.cli.main import Context, command
from lucid.cli.output import size
from lucid.cli.session import of_session, session
from lucid.cli.session.listing import when


@command(session, "show")
@of_session
def show(context: Context, session_id: str) -> None:
    """Show one session: its state, what is recorded, and what of it is anchored.

    \b
    Example: lucid session show ses_0193…
    """
    one = context.api.get(f"/sessions/{session_id}")
    delay = one.get("anchoring_delay_ms")
    context.out.facts(
        one,
        [
            ("session", one["id"]),
            ("name", one.get("name")),
            ("state", one["state"] + (f" ({one['reason']})" if one.get("reason") else "")),
            ("verdict", one["verdict"]),
            (
                "chunks",
                f"{one['chunks_acknowledged']} acknowledged, {one.get('chunks_stored', 0)} stored",
            ),
            ("stored", size(one.get("bytes_stored"))),
            ("anchored", "yes" if one["anchored"] else "not yet"),
            ("anchoring delay", None if delay is None else f"{delay / 1000:.1f} s"),
            ("created", when(one.get("created_at"))),
            ("closed", when(one.get("closed_at"))),
        ],
    )
