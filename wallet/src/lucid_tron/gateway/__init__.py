"""The payment gateway: takes payments in USDT, gives them back, and accounts for every unit.

Each payment has a deposit address of its own. Money counts when it is in a solid block and a quorum of nodes
says so; what comes in is swept to the treasury; refunds leave through the payout processor. Its books must
balance with the chain to the last unit, or nothing is paid out any more. It must never credit what a single
node says, nor what only looks like USDT.
"""
