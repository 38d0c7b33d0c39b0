"""`python -m lucid.sessions`: the session service. Settings are environment variables LUCID_SESSIONS_…

Prints one line of JSON when it is ready; logs go to stderr.
"""

import sys

from lucid.sessions.app import build
from lucid.sessions.settings import Settings
from lucid_kit.service import serve_main

if __name__ == "__main__":
    sys.exit(serve_main("lucid.sessions", Settings, build))
