"""`lucid up`: a whole instance on one machine, each plane and cluster in its own process.

Prepares a data directory once (keys, genesis, trust policy), starts the processes in order, starts again
what dies, and ends them in reverse. It holds no state of its own: whatever it knows can be read from the
data directory, so ending it with kill -9 costs nothing.
"""
