"""`python -m lucid_tron.client`: run the service. Prints one line of JSON when it answers."""

import sys

from lucid_tron.client.app import build
from lucid_tron.client.settings import ClientSettings
from lucid_tron.plane import run

if __name__ == "__main__":
    sys.exit(run("client", ClientSettings, build))
