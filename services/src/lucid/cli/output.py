"""What commands say: one JSON document, or text and tables for people; errors with their advice."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from lucid_kit.errors import LucidError, problem


class Output:
    """Where a command's result goes.

    With `--json` exactly one JSON document on stdout, errors included; otherwise text on stdout, and errors
    and progress on stderr. Colours and progress appear only on a terminal.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # Into a pipe or a file nothing is folded: whoever reads it there splits lines, not columns.
        self._out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)

    def result(self, document: Mapping[str, Any], first_line: str, *then: str) -> None:
        """The result as a document, or as its first line and what to do next."""
        if self.as_json:
            self._write(document)
            return
        self._out.print(first_line, markup=False)
        for line in then:
            self._out.print(line, markup=False)

    def table(
        self, document: Any, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str
    ) -> None:
        """A list as a document, or as a table; `empty` says what to do when there is nothing."""
        if self.as_json:
            self._write(document)
            return
        rows = list(rows)
        if not rows:
            self._out.print(empty, markup=False)
            return
        self._out.print(grid(columns, rows))

    def facts(self, document: Any, rows: Iterable[tuple[str, object]]) -> None:
        """One thing as a document, or as a two-column list."""
        if self.as_json:
            self._write(document)
            return
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(name, "–" if value is None else str(value))
        self._out.print(table)

    def failure(self, error: LucidError) -> None:
        if self.as_json:
            self._write(problem(error, None))
        self._err.print(f"lucid: {error.detail}", markup=False)
        self._err.print(f"  {error.advice} ({error.code})", markup=False)

    def note(self, text: str) -> None:
        """Something a person should know; never part of a result."""
        self._err.print(text, markup=False)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show on a terminal that this goes on, with the seconds it took, once it lasts over a second."""
        if self.as_json or not sys.stderr.isatty():
            yield
            return
        started = time.monotonic()
        with self._err.status(what):
            yield
        took = time.monotonic() - started
        if took > 1:
            self._err.print(f"{what} {took:.1f} s", markup=False)

    @contextmanager
    def transfer(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A progress bar in bytes on a terminal."""
        shown = not self.as_json and sys.stderr.isatty()
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self._err, disable=not shown, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda done: progress.update(task, completed=done)

    def _write(self, document: Any) -> None:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


class NewFile(click.ParamType[Path]):
    """A file that a command is to write: its directory must exist, so that nobody waits in vain."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.is_dir():
            self.fail(f"{path} is a directory", param, ctx)
        if not path.absolute().parent.is_dir():
            self.fail(f"there is no directory {path.absolute().parent}", param, ctx)
        return path


def grid(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of short texts."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)  # the first is what one copies
    for row in rows:
        table.add_row(*("–" if cell is None else str(cell) for cell in row))
    return table


def size(count: int | None) -> str:
    """Bytes for people, in powers of 1,000."""
    if count is None:
        return "–"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
