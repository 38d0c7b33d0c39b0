"""A TRON-compatible development network in one process, for tests and laptops.

It keeps a chain of its own in memory, runs contracts on py-evm priced as java-tron prices them, and answers
TRON's HTTP API, so that unmodified tronweb and tronpy work against it. It misbehaves on request: busy, slow,
lying, forgetful, reorganising. It is not java-tron (docs/tron-devnet.md lists the differences), holds no real
value, listens on loopback only, and must never be a dependency of a product path.
"""
