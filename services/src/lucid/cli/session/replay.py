"""`lucid session replay`: one frame of a recording as a PNG."""

from pathlib import Path

import click

from lucid.cli.main import Context, command
from lucid.cli.output import NewFile
from lucid.cli.session import of_session, session
from lucid_kit.files import write_atomic


@command(session, "replay")
@of_session
@click.option(
    "--frame",
    required=True,
    metavar="first|last|MS",
    help="Which frame: the first, the last, or the one shown MS milliseconds after the first.",
)
@click.option("-o", "--output", required=True, type=NewFile(), help="The PNG to write.")
@click.option("--cursor", is_flag=True, help="Draw the mouse pointer.")
def replay(context: Context, session_id: str, frame: str, output: Path, cursor: bool) -> None:
    """Write one frame of a recording as a PNG.

    \b
    Example: lucid session replay ses_0193… --frame last -o last.png
    """
    if frame not in ("first", "last") and not (frame.isascii() and frame.isdigit()):
        raise click.BadParameter("say first, last, or a number of milliseconds", param_hint="--frame")
    with (
        context.out.waiting("decoding …"),
        context.api.stream(f"/sessions/{session_id}/frame", at=frame, cursor=str(cursor).lower()) as answer,
    ):
        picture = answer.read()
    write_atomic(output, picture, 0o644)
    context.out.result(
        {"session": session_id, "frame": frame, "file": str(output), "bytes": len(picture)},
        f"{output} holds the {frame} frame.",
    )
