"""Private keys: deriving them, signing with them, and recovering whose key signed.

Transactions are signed as what they decode to, never as a digest that somebody else computed. A key never
shows itself: not in its representation, not in an error, not in a pickle or a copy.
"""
