"""`lucid session export`: the proof bundle as one file; goes on where an earlier export stopped."""

import time
from pathlib import Path

import click

from lucid.cli.main import Context, command
from lucid.cli.output import NewFile, size
from lucid.cli.session import of_session, session
from lucid.cli.session.transfer import Transfer
from lucid_kit.errors import DomainError
from lucid_kit.files import write_atomic
from lucid_proof import Report, Verdict, verify
from lucid_proof.trust import TrustPolicy


class ExportedBundleUnusable(DomainError):
    """What was exported does not verify."""

    code = "LUCID_ERR_4024"
    advice = (
        "The recording or the way here is damaged: `lucid-verify` says where. An earlier export is as it was."
    )


@command(session, "export")
@of_session
@click.option(
    "-o",
    "--output",
    required=True,
    type=NewFile(),
    help="The bundle to write.",
)
@click.option(
    "--trust",
    "trust_file",
    type=NewFile(),
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
    in progress; exporting it again to the same file later fetches only what was recorded since.

    \b
    Example: lucid session export ses_0193… -o session.lucid --trust trust.json
    """
    with context.out.waiting("waiting for the session's records to be anchored …"):
        _await_anchoring(context, session_id, wait)
    policy = context.layout.trust.read_bytes()
    transfer, report = _brought(context, session_id, output, TrustPolicy.parse(policy))
    if trust_file:
        write_atomic(trust_file, policy, 0o644)
    document = {
        "file": str(output),
        "bytes": output.stat().st_size,
        "fetched": transfer.fetched,
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


def _brought(context: Context, session_id: str, output: Path, policy: TrustPolicy) -> tuple[Transfer, Report]:
    """Bring the bundle to `output` and judge it.

    Raises
    ------
    ExportedBundleUnusable
        If it does not verify, all of it fetched anew: then `output` is as it was.
    """
    transfer = Transfer(context.api, context.out, session_id, output)
    transfer.fetch()
    report = verify(transfer.part, policy)
    if transfer.kept and not _fit(report, session_id):
        # What was there already may be damaged, or another session's.
        transfer.fetch_whole()
        report = verify(transfer.part, policy)
    if not _fit(report, session_id):
        unusable = output.with_name(output.name + ".unusable")
        transfer.settle(unusable)
        raise ExportedBundleUnusable(f"{unusable}: {_why(report)}")
    transfer.settle(output)
    return transfer, report


def _fit(report: Report, session_id: str) -> bool:
    return report.verdict not in (Verdict.ALTERED, Verdict.UNUSABLE) and report.session == session_id


def _why(report: Report) -> str:
    return "; ".join(f"{finding.where}: {finding.message}" for finding in report.findings[:3])
