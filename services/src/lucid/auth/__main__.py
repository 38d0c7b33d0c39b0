"""`python -m lucid.auth`: run the service. Prints one line of JSON when it answers."""

import sys

from fastapi import FastAPI

from lucid.auth import app
from lucid.auth.settings import AuthSettings
from lucid.version import release
from lucid_kit.service import serve_main


def build(settings: AuthSettings) -> FastAPI:
    """The app of this release."""
    return app.build(settings, release())


if __name__ == "__main__":
    sys.exit(serve_main("lucid.auth", AuthSettings, build))
