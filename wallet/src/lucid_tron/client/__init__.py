"""Talking to TRON nodes that are slow, busy, behind, faulty or lying.

A pool of nodes answers one caller. Whatever decides over money is read from as many nodes as the quorum says
and used only when they agree. It holds no keys and builds no transactions; it sends bytes that others stored.
"""
