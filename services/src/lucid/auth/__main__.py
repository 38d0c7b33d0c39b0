"""`python -m lucid.auth`: run the service. Prints one line of JSON when it answers."""

import asyncio
import json
import os
import sys

from lucid.auth.app import build
from lucid.auth.settings import AuthSettings
from lucid.version import release
from lucid_kit import logs
from lucid_kit.errors import LucidError
from lucid_kit.http import serve


def main() -> int:
    """The exit status: 0, or 1 with what went wrong and what to do on stderr."""
    logs.configure("auth")
    try:
        settings = AuthSettings.load()
        app = build(settings, release())
        asyncio.run(serve(app, host=settings.host, port=settings.port, on_ready=_ready))
    except LucidError as error:
        print(f"lucid.auth: {error}\n  {error.advice}", file=sys.stderr)
        return 1
    return 0


def _ready(url: str) -> None:
    print(json.dumps({"ready": True, "url": url, "pid": os.getpid()}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
