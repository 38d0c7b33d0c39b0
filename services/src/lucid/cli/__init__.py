"""The `lucid` command: one file per command, and the few things they share (output, the API client, errors).

A command parses, calls the API or a local program, and says the result; it decides nothing and touches no
database. Exit status: 0 done, 1 failed (with a code and what to do), 2 wrong usage.
"""

from lucid.cli.main import main

__all__ = ["main"]
