"""`python -m lucid.sessions`: the session service. Settings are environment variables LUCID_SESSIONS_…

Prints one line of JSON when it is ready; logs go to stderr.
"""

import asyncio
import json
import os
import sys

from lucid.sessions.app import build
from lucid.sessions.settings import Settings
from lucid_kit import logs
from lucid_kit.errors import LucidError
from lucid_kit.http import serve


def main() -> int:
    """Exit status 0 after SIGTERM, 1 if it could not start."""
    os.umask(0o077)
    logs.configure("sessions")
    try:
        settings = Settings.load()
        logs.configure("sessions", settings.log_level)
        asyncio.run(serve(build(settings), host=settings.host, port=settings.port, on_ready=_ready))
    except LucidError as error:
        logs.get_logger().error(
            "service.not-started", code=error.code, error=error.detail, advice=error.advice
        )
        print(f"lucid.sessions: {error}\n  {error.advice}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _ready(url: str) -> None:
    print(json.dumps({"ready": True, "url": url, "pid": os.getpid()}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
