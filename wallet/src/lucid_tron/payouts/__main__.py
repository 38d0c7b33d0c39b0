"""`python -m lucid_tron.payouts`: run the service. Prints one line of JSON when it answers."""

import sys

from lucid_tron.payouts.app import build
from lucid_tron.payouts.settings import PayoutsSettings
from lucid_tron.plane import run

if __name__ == "__main__":
    sys.exit(run("payouts", PayoutsSettings, build))
