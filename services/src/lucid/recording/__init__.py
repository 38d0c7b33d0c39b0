"""The recording format: events, sealed chunks, the spool with its journal, and replay.

A library of formats. It captures nothing, talks to nobody, keeps no key longer than a call, and never writes
plaintext to a disk.
"""
