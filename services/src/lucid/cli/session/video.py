"""`lucid session video`: a recording as a video that any browser plays."""

import os
from pathlib import Path

import click

from lucid.cli.main import Context, command
from lucid.cli.output import NewFile, size
from lucid.cli.session import of_session, session
from lucid_kit.files import fsync_dir


@command(session, "video")
@of_session
@click.option(
    "-o",
    "--output",
    required=True,
    type=NewFile(),
    help="The video to write (WebM).",
)
@click.option("--no-cursor", is_flag=True, help="Leave the mouse pointer out.")
def video(context: Context, session_id: str, output: Path, no_cursor: bool) -> None:
    """Write a recording as a video (WebM, VP9), for watching.

    A video is lossy and proves nothing: the evidence is what `lucid session export` writes. Of a running
    session it shows what was recorded so far.

    \b
    Example: lucid session video ses_0193… -o session.webm
    """
    part = output.with_name(output.name + ".part")
    path, cursor = f"/sessions/{session_id}/export", str(not no_cursor).lower()
    try:
        with (
            context.api.stream(path, cursor=cursor) as answer,
            part.open("wb") as file,
            context.out.transfer("encoding", None) as advance,
        ):
            for block in answer.iter_bytes():
                file.write(block)
                advance(file.tell())
            file.flush()
            os.fsync(file.fileno())
        part.rename(output)
    finally:
        part.unlink(missing_ok=True)
    fsync_dir(output.absolute().parent)
    count = output.stat().st_size
    context.out.result(
        {"session": session_id, "file": str(output), "bytes": count},
        f"{output} shows {session_id}, {size(count)}. Any browser plays it.",
    )
