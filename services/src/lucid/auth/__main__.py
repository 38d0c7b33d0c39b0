"""`python -m lucid.auth`: run the service; prints one JSON line when ready."""

import sys

from lucid.auth.app import build
from lucid.auth.settings import AuthSettings
from lucid_kit.service import run

if __name__ == "__main__":
    sys.exit(run("auth", AuthSettings, build))
