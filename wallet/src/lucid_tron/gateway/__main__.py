"""`python -m lucid_tron.gateway`: run the service. Prints one line of JSON when it answers."""

import sys

from lucid_tron.gateway.app import build
from lucid_tron.gateway.settings import GatewaySettings
from lucid_tron.plane import run

if __name__ == "__main__":
    sys.exit(run("gateway", GatewaySettings, build))
