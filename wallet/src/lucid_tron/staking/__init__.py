"""Stake 2.0: energy for payouts from a stake instead of from burnt TRX.

It stakes, takes back, lends, votes and claims for our own wallets, and says what a number of payouts a day
needs. It must never guess what the chain charges or yields, and never send the same operation twice.
"""
