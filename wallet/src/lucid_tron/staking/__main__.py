"""`python -m lucid_tron.staking`: run the service. Prints one line of JSON when it answers."""

import sys

from lucid_tron.plane import run
from lucid_tron.staking.app import build
from lucid_tron.staking.settings import StakingSettings

if __name__ == "__main__":
    sys.exit(run("staking", StakingSettings, build))
