"""The whole wallet plane on one machine: six services, each a process with its own database and token.

    python -m lucid_tron.up --data DIR --json

It has an issuer of tokens of its own and shares no secret with any other plane. Without nodes of a real
network it runs a development network beside the services, whose money is worthless.
"""
