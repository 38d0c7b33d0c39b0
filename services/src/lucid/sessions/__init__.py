"""Sessions: a desktop becomes a recording that anyone can judge.

This cluster brings a desktop and its recorder together, keeps the clock and the state of every session, signs
its records, moves chunks from the spool to the object store, sees records anchored, and exports what proves
it all.

It must never let a desktop be seen that is not recorded (unless the session's policy says so, and then it
says so), never sign two records for one step, never drop a chunk that the journal acknowledged, and never log
what a recording shows. It does not capture (lucid.recorder), run desktops (lucid.rdp) or decide what is in
the log (lucid_blocks).
"""
