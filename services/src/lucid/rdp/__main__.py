"""`python -m lucid.rdp`: run the server manager. Prints one line of JSON when it answers."""

import asyncio
import json
import os
import sys

from lucid.rdp.app import build
from lucid.rdp.errors import RootNeeded
from lucid.rdp.settings import RdpSettings
from lucid_kit import logs
from lucid_kit.errors import LucidError
from lucid_kit.http import serve


async def run() -> None:
    """Serve until SIGTERM."""
    settings = RdpSettings.load()
    logs.configure("rdp", settings.log_level)
    if os.geteuid() != 0:
        raise RootNeeded(f"The server manager runs as user {os.geteuid()}")

    def ready(url: str) -> None:
        print(json.dumps({"ready": True, "url": url, "pid": os.getpid()}), flush=True)

    await serve(build(settings), host=settings.listen_host, port=settings.listen_port, on_ready=ready)


def main() -> int:
    """The exit status: 0, or 1 with what went wrong and what to do on stderr."""
    try:
        asyncio.run(run())
    except LucidError as error:
        print(f"{error}\n{error.advice}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
