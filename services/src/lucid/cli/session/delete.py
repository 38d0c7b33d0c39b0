"""`lucid session delete`."""

import sys

import click

from lucid.cli.main import Context, command
from lucid.cli.session import of_session, session


@command(session, "delete")
@of_session
@click.option("--yes", is_flag=True, help="Don't ask.")
def delete(context: Context, session_id: str, yes: bool) -> None:
    """Destroy a session's key: nobody can ever see its pictures again; its proof still verifies.

    \b
    Example: lucid session delete ses_0193… --yes
    """
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("say --yes to destroy the key without being asked")
        click.confirm(f"Destroy the key of {session_id}? Its pictures are gone for good", abort=True)
    now = context.api.delete(f"/sessions/{session_id}")
    document = now or {"id": session_id, "state": "deleted"}
    context.out.result(
        document, f"The key of {session_id} is destroyed. Its proof can still be exported and verified."
    )
