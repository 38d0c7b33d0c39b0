"""`python -m lucid.rdp`: run the server manager. Prints one line of JSON when it answers."""

import os
import sys

from fastapi import FastAPI

from lucid.rdp import app
from lucid.rdp.errors import RootNeeded
from lucid.rdp.settings import RdpSettings
from lucid_kit.service import serve_main


def build(settings: RdpSettings) -> FastAPI:
    """The app.

    Raises
    ------
    RootNeeded
        If this is not root: desktops need users, namespaces and mounts of their own.
    """
    if os.geteuid() != 0:
        raise RootNeeded(f"The server manager runs as user {os.geteuid()}")
    return app.build(settings)


def listening(settings: RdpSettings) -> tuple[str, int]:
    """Where the API listens; `host` is where the desktops do."""
    return settings.listen_host, settings.listen_port


if __name__ == "__main__":
    # The users of desktops must be able to read some of what it makes for them: the umask stays.
    sys.exit(serve_main("lucid.rdp", RdpSettings, build, address=listening, umask=None))
