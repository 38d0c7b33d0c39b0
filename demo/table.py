"""What the demo has found out, and whether each of it is as it must be."""

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass
class Findings:
    """Rows of the table at the end; `well` only if every row with an expectation met it."""

    title: str = "The main job, end to end"
    rows: list[tuple[str, str, bool | None]] = field(default_factory=list)

    def measured(self, what: str, value: str) -> None:
        """A figure that nothing depends on."""
        self.rows.append((what, value, None))

    def expect(self, what: str, value: str, well: bool) -> None:
        """A figure or verdict that must be right."""
        self.rows.append((what, value, well))

    @property
    def well(self) -> bool:
        return all(well is not False for _, _, well in self.rows)

    def show(self) -> None:
        table = Table(
            title=self.title,
            title_justify="left",
            box=None,
            pad_edge=False,
            header_style="bold",
        )
        table.add_column("what")
        table.add_column("found", overflow="fold")
        table.add_column("as it must be")
        for what, value, well in self.rows:
            table.add_row(what, value, "" if well is None else "yes" if well else "NO")
        Console(highlight=False).print(table)
