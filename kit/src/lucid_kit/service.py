"""The main program of a service: `python -m lucid.auth` and all its sisters are these few lines.

    if __name__ == "__main__":
        sys.exit(serve_main("lucid.auth", AuthSettings, build))

One line of JSON on stdout says that it answers, `{"ready": true, "url": …, "pid": …}`; logs go to stderr.
SIGTERM ends it with exit status 0.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from fastapi import FastAPI

from lucid_kit import logs
from lucid_kit.errors import LucidError
from lucid_kit.http import serve
from lucid_kit.settings import Settings

S = TypeVar("S", bound=Settings)
INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


def host_and_port(settings: Settings) -> tuple[str, int]:
    """Where to listen: the settings `host` and `port`, by default 127.0.0.1 and any free port."""
    return getattr(settings, "host", "127.0.0.1"), getattr(settings, "port", 0)


def serve_main(
    program: str,
    settings_type: type[S],
    build: Callable[[S], FastAPI],
    *,
    address: Callable[[S], tuple[str, int]] = host_and_port,
    umask: int | None = 0o077,
) -> int:
    """Read the settings, build the app and serve it until SIGTERM.

    Parameters
    ----------
    program
        What is run, such as "lucid.auth": named in errors; its last part names the service in logs.
    build
        Makes the app; called inside the event loop. What it raises ends the program before it is ready.
    address
        Takes host and port from the settings.
    umask
        What files it makes are closed to: by default to everyone else. None keeps what was inherited.

    Returns
    -------
    int
        The exit status: 0, 130 after Ctrl-C, or 1 with what went wrong and what to do on stderr.
    """
    name = program.rpartition(".")[2]
    if umask is not None:
        os.umask(umask)
    logs.configure(name)
    try:
        settings = settings_type.load()
        logs.configure(name, getattr(settings, "log_level", "info"))
        asyncio.run(_serve(settings, build, address(settings)))
    except LucidError as error:
        logs.get_logger().error(
            "service.not-started", code=error.code, error=error.detail, advice=error.advice
        )
        print(f"{program}: {error}\n  {error.advice}", file=sys.stderr)
        return 1
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error
        print(f"{program}: {what}\n  Correct that file or setting and start again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


async def _serve(settings: S, build: Callable[[S], FastAPI], address: tuple[str, int]) -> None:
    host, port = address
    await serve(build(settings), host=host, port=port, on_ready=_say_ready)


def _say_ready(url: str) -> None:
    print(json.dumps({"ready": True, "url": url, "pid": os.getpid()}), flush=True)
