"""The words of lucid-verify: the verdict and what it means first, then what and where, then when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lucid_proof.report import Report, Verdict, Window

if TYPE_CHECKING:
    from lucid_proof.receipt import ReceiptReport

_MEANING: Final = {
    Verdict.COMPLETE: "every chunk from begin to close is here, unaltered, and anchored in time.",
    Verdict.ALTERED: "this is not what was recorded. Do not rely on it.",
    Verdict.INCOMPLETE: "what is here is unaltered and anchored, but not everything is here.",
    Verdict.NOT_ANCHORED: "nobody whom you trust has signed this.",
    Verdict.UNUSABLE: "this file cannot be judged.",
}

_ADVICE: Final = {
    Verdict.ALTERED: "Compare the file with another copy, or export the session again.",
    Verdict.INCOMPLETE: "Export it again once it is closed, or ask its operator for what is missing.",
    Verdict.NOT_ANCHORED: "Get the log's trust.json from someone you trust, and give it with --trust.",
    Verdict.UNUSABLE: "Copy the file again, byte for byte, or export the session again.",
}


def bundle(report: Report, path: str, *, every_window: bool = False) -> str:
    """The whole answer about a bundle, without the last newline."""
    lines = [f"{report.verdict.word.upper()}: {_MEANING[report.verdict]}"]
    for finding in report.findings:
        where = f"{printable(finding.where)}: " if finding.where else ""
        lines.append(f"  {where}{printable(finding.message)}")
    if advice := _ADVICE.get(report.verdict):
        lines.append(f"  {advice}")
    if report.verdict is Verdict.UNUSABLE:
        return "\n".join(lines)
    lines += ["", f"file      {printable(path)}"]
    if report.session:
        held = f"{report.records} records, {report.chunks} chunks, {report.bytes} bytes"
        lines.append(f"session   {report.session}, {held}")
    lines.append(f"log       {printable(report.origin)}")
    if report.signers:
        lines.append(f"signed    {', '.join(report.signers)}")
    if report.begun_ms is not None:
        until = ", not closed" if report.closed_ms is None else f" to {moment(report.closed_ms)}"
        lines.append(f"recorded  {moment(report.begun_ms)}{until} (as its recorder states)")
    if report.windows:
        lines += _windows(report, every_window=every_window)
    return "\n".join(lines)


def receipt(report: ReceiptReport) -> str:
    """The whole answer about a receipt."""
    lines = [f"{report.answer.word.upper()}: {report.answer.meaning}"]
    lines.append(f"  {printable(report.detail)}")
    if report.session:
        lines += ["", f"session   {report.session}"]
    if report.origin:
        lines.append(f"log       {printable(report.origin)}")
    if report.due_ms is not None:
        lines.append(f"due       {moment(report.due_ms)}")
    if report.anchored_ms is not None:
        lines.append(
            f"anchored  {moment(report.anchored_ms)}, block {report.height}, log index {report.index}"
        )
    return "\n".join(lines)


def moment(time_ms: int) -> str:
    """A time in UTC, to the millisecond; as a bare number where the calendar ends."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"


def printable(text: str) -> str:
    """Text from a file that nobody vouches for, fit for a terminal: no escape sequence gets through."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _windows(report: Report, *, every_window: bool) -> list[str]:
    """When the chunks were made, as blocks prove it."""
    earliest = min(each.not_before_ms for each in report.windows)
    latest = max(each.not_after_ms for each in report.windows)
    widest = max(report.windows, key=_width)
    # Blocks prove a time only to someone who trusts a key that signed them.
    word = "proved " if report.signers and report.verdict is not Verdict.ALTERED else "claimed"
    wide = f"{_width(widest) / 1000:.1f} s ({_range(widest)})"
    lines = [
        f"{word}   made after {moment(earliest)} and before {moment(latest)};",
        f"          the widest of {len(report.windows)} windows is {wide}",
    ]
    if every_window:
        lines.append("")
        for each in report.windows:
            after, before = f"block {each.not_before_height}", f"block {each.not_after_height}"
            times = f"{moment(each.not_before_ms)} ({after}) to {moment(each.not_after_ms)} ({before})"
            lines.append(f"{_range(each):<22} {times}")
    return lines


def _width(window: Window) -> int:
    return window.not_after_ms - window.not_before_ms


def _range(window: Window) -> str:
    if window.first_chunk == window.last_chunk:
        return f"chunk {window.first_chunk}"
    return f"chunks {window.first_chunk}–{window.last_chunk}"
