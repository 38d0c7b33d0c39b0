"""`lucid session export`: the proof bundle as one file; goes on where an earlier export stopped."""

import os
import time
from pathlib import Path

import click

from lucid.cli.main import Context, command
from lucid.cli.output import size
from lucid.cli.session import session
from lucid_kit.errors import DomainError
from lucid_kit.files import fsync_dir, write_atomic
from lucid_proof import Report, Verdict, verify
from lucid_proof.trust import TrustPolicy


class ExportedBundleUnusable(DomainError):
    """What was exported does not verify."""

    code = "LUCID_ERR_4024"
    advice = "Remove the file and export again; if it stays so, the recording is damaged: ask `lucid-verify`."


@command(session, "export")
@click.argument("session_id", metavar="ID")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The bundle to write.",
)
@click.option(
    "--trust",
    "trust_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the trust policy of this instance.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    default=60,
    show_default=True,
    help="Seconds to wait until the session's records are anchored.",
)
def export(context: Context, session_id: str, output: Path, trust_file: Path | None, wait: float) -> None:
    """Write a session's proof bundle: all that `lucid-verify` needs to judge the recording offline.

    A broken transfer goes on where it stopped. Exporting a running session gives a bundle that says it is
    in progress; exporting it again later gives the newest one.

    \b
    Example: lucid session export ses_0193… -o session.lucid --trust trust.json
    """
    with context.out.waiting("waiting for the session's records to be anchored …"):
        _await_anchoring(context, session_id, wait)
    fetched = _fetch(context, session_id, output)
    policy = context.layout.trust.read_bytes()
    if trust_file:
        write_atomic(trust_file, policy, 0o644)
    report = verify(output, TrustPolicy.parse(policy))
    if report.verdict in (Verdict.ALTERED, Verdict.UNUSABLE):
        raise ExportedBundleUnusable(f"{output}: {_why(report)}")
    document = {
        "file": str(output),
        "bytes": output.stat().st_size,
        "fetched": fetched,
        "verdict": report.verdict.word,
        "session": session_id,
        "chunks": report.chunks,
    }
    context.out.result(
        document,
        f"{output}: {report.verdict.word}, {report.chunks} chunks, {size(output.stat().st_size)}.",
        f"Anyone can check it: lucid-verify {output} --trust {trust_file or context.layout.trust}",
    )


def _await_anchoring(context: Context, session_id: str, wait: float) -> None:
    """Wait for a closed session's last record to be in the log, or a running one's first."""
    deadline = time.monotonic() + wait
    while True:
        now = context.api.get(f"/sessions/{session_id}")
        running = now["state"] not in ("closed", "abandoned", "unrecorded", "deleted")
        if now["anchored"] or (running and now.get("begin_anchored")) or time.monotonic() >= deadline:
            return
        time.sleep(0.3)


def _fetch(context: Context, session_id: str, output: Path) -> int:
    """Bring the bundle to `output`; how many bytes were transferred.

    A broken transfer goes on where it stopped if the bundle is still the same one (same ETag).
    """
    part = output.with_name(output.name + ".part")
    tag = output.with_name(output.name + ".etag")
    path = f"/sessions/{session_id}/proof"
    start, headers = 0, {}
    if part.exists() and tag.exists():
        start, headers = part.stat().st_size, {"If-Range": tag.read_text("ascii").strip()}
        headers["Range"] = f"bytes={start}-"
    with context.api.stream(path, headers=headers) as answer:
        if answer.status_code == 416:
            part.unlink(missing_ok=True)
            tag.unlink(missing_ok=True)
            return _fetch(context, session_id, output)
        start = start if answer.status_code == 206 else 0
        write_atomic(tag, answer.headers.get("ETag", "").encode("ascii"), 0o600)
        total = start + int(answer.headers["Content-Length"])
        done = start
        with (
            part.open("r+b" if start else "wb") as target,
            context.out.transfer("exporting", total) as advance,
        ):
            target.seek(start)
            for block in answer.iter_bytes(1 << 20):
                target.write(block)
                done += len(block)
                advance(done)
            target.truncate()
            target.flush()
            os.fsync(target.fileno())
    part.rename(output)
    fsync_dir(output.absolute().parent)
    tag.unlink(missing_ok=True)
    return done - start


def _why(report: Report) -> str:
    return "; ".join(f"{finding.where}: {finding.message}" for finding in report.findings[:3])
