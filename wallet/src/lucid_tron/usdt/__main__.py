"""`python -m lucid_tron.usdt`: run the service. Prints one line of JSON when it answers."""

import sys

from lucid_tron.plane import run
from lucid_tron.usdt.app import build
from lucid_tron.usdt.settings import UsdtSettings

if __name__ == "__main__":
    sys.exit(run("usdt", UsdtSettings, build))
