"""The command group, its common options, and the one place where failures become exit codes."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from lucid.cli.client import Api
from lucid.cli.output import Output
from lucid.instance import Layout, default_data
from lucid_kit.errors import DomainError, LucidError, SystemFault

P = ParamSpec("P")


class Defect(SystemFault):
    """The command met something it was not made for."""

    code = "LUCID_ERR_5023"
    advice = "A defect of Lucid: run it again with -v before the subcommand and report what it prints."


class FileUnusable(DomainError):
    """A file that was named cannot be read or written."""

    code = "LUCID_ERR_4025"
    advice = "Correct the path or its permissions, or make room on the disk."


class Context:
    """What every command gets: the instance's layout, the output, and the API on first use."""

    def __init__(self, data: Path, *, verbose: bool) -> None:
        self.layout = Layout(data)
        self.verbose = verbose
        self.out = Output(as_json=False)

    @functools.cached_property
    def api(self) -> Api:
        return Api(self.layout)


def command(
    group: click.Group, name: str, **options: Any
) -> Callable[[Callable[Concatenate[Context, P], None]], click.Command]:
    """Add a command to a group: it gets the context, `--json`, and errors that end well."""

    def add(function: Callable[Concatenate[Context, P], None]) -> click.Command:
        @functools.wraps(function)
        @click.pass_context
        def run(click_context: click.Context, /, *args: P.args, **kwargs: P.kwargs) -> None:
            context: Context = click_context.find_object(Context) or Context(default_data(), verbose=False)
            context.out = Output(as_json=bool(kwargs.pop("as_json", False)))
            _run(context, lambda: function(context, *args, **kwargs))

        as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
        return group.command(name, **options)(as_json(run))

    return add


def _run(context: Context, action: Callable[[], None]) -> None:
    try:
        action()
    except LucidError as error:
        context.out.failure(error)
        raise click.exceptions.Exit(1) from None
    except BrokenPipeError:
        # The reader of our output left (`lucid … | head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        context.out.failure(FileUnusable(f"{where}{error.strerror or error}"))
        raise click.exceptions.Exit(1) from None
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:  # a defect of ours is still one clear error to whoever runs it
        if context.verbose:
            raise
        context.out.failure(Defect(f"{type(error).__name__}: {error}"))
        raise click.exceptions.Exit(1) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_data,
    show_default="$LUCID_DATA or ~/.local/share/lucid",
    help="The instance's data directory.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
@click.pass_context
def main(click_context: click.Context, data: Path, verbose: bool) -> None:
    """Remote desktops whose recordings prove themselves.

    \b
    Example:
      lucid --data ./data up                        start everything, stay in the foreground
      lucid --data ./data session create            a recorded desktop; prints where to connect
      lucid --data ./data session export ID -o session.lucid --trust trust.json
      lucid-verify session.lucid --trust trust.json
    """
    click_context.obj = Context(data.absolute(), verbose=verbose)


from lucid.cli import chain, doctor, session, status, up, version  # noqa: E402, F401 - they add themselves to `main`
