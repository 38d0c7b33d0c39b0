"""Payouts that cannot be paid twice.

Each payout walks one way through its states, every step stored before its effect, every change an entry of a
hash-chained ledger. Signed bytes are stored before they are sent; only those bytes are ever sent again; new
bytes are signed only when the old ones can no longer be mined. It must never decide that a payout was
not paid because nobody answered.
"""
