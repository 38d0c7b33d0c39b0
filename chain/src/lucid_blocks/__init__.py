"""The chain plane: one log of session records, a block on it every ten seconds, and who signed it.

The rules are `lucid_blocks.state.apply`, which is pure. Everything else here brings transactions to it,
keeps what it decided, and shows it. This package never holds money, never reads a recording, and never
knows a user.
"""
