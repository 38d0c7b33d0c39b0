"""`python -m lucid_tron.wallets`: run the service. Prints one line of JSON when it answers."""

import sys

from lucid_tron.plane import run
from lucid_tron.wallets.app import build
from lucid_tron.wallets.settings import WalletsSettings

if __name__ == "__main__":
    sys.exit(run("wallets", WalletsSettings, build))
