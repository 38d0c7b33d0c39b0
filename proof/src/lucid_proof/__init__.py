"""What can be proved of a recording: trees, checkpoints, records, bundles, and the verdict over them.

This package never trusts what it reads, never needs a network to judge a bundle, and imports nothing but
`cryptography` and the standard library. The formats are docs/specs/.
"""
