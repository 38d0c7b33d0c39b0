"""`python -m lucid_blocks`: the same as the command `lucid-blocks`."""

import sys

from lucid_blocks.cli import main

if __name__ == "__main__":
    sys.exit(main())
