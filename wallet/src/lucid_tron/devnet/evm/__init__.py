"""The contract machine: py-evm's interpreter with TRON's prices, precompiles, addresses and storage."""

import sys

import eth  # noqa: F401  # raises the recursion limit to 10,240 when it is imported

# Deep enough for 64 nested calls; at 10,240 nested JSON overflows the C stack, which kills the process.
sys.setrecursionlimit(3_000)
