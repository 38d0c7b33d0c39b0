"""How anything leaves a wallet: stored before it is sent, and never sent as two different transactions.

Payouts, refunds, sweeps and staking all walk this one way. It knows bytes, txIDs and expirations; what is
sent, and how one sees that it arrived, its users tell it.
"""
