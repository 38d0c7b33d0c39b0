"""`lucid session stop`, `pause` and `resume`."""

import time

import click

from lucid.cli.main import Context, command
from lucid.cli.session import of_session, session
from lucid_kit.errors import Unavailable

FINAL = ("closed", "abandoned", "unrecorded", "deleted")


@command(session, "stop")
@of_session
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the recording is closed.")
@click.option(
    "--anchored", is_flag=True, help="Wait until its close is anchored as well (a block takes 10 s)."
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 3600),
    default=120,
    show_default=True,
    help="Seconds to wait at most.",
)
def stop(context: Context, session_id: str, wait: bool, anchored: bool, timeout: float) -> None:
    """End a session's desktop and close its recording.

    \b
    Example: lucid session stop ses_0193… --anchored
    """
    now = context.api.post(f"/sessions/{session_id}/stop")
    deadline = time.monotonic() + timeout
    with context.out.waiting("closing the recording …"):
        while (wait or anchored) and not (now["state"] in FINAL and (now["anchored"] or not anchored)):
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{session_id} is still {now['state']} after {timeout:.0f} s; see `lucid session show`"
                )
            time.sleep(0.2)
            now = context.api.get(f"/sessions/{session_id}")
    context.out.result(
        now,
        f"Session {session_id} is {now['state']}.",
        f"Export it with: lucid session export {session_id} -o {session_id}.lucid",
    )


@command(session, "pause")
@of_session
def pause(context: Context, session_id: str) -> None:
    """Pause recording. The pause is a record in the log, not a hole.

    \b
    Example: lucid session pause ses_0193…
    """
    now = context.api.post(f"/sessions/{session_id}/pause")
    context.out.result(
        now, f"Session {session_id} is {now['state']}.", f"Go on with: lucid session resume {session_id}"
    )


@command(session, "resume")
@of_session
def resume(context: Context, session_id: str) -> None:
    """Go on recording after a pause.

    \b
    Example: lucid session resume ses_0193…
    """
    now = context.api.post(f"/sessions/{session_id}/resume")
    context.out.result(now, f"Session {session_id} is {now['state']}.")
