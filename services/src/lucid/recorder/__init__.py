"""The recorder of one session: it watches an X display and writes sealed chunks into the session's spool.

One process a session, started by the sessions service and told what to do by JSON lines on file descriptor 3
(`control`); the session's key comes over descriptor 4. It must never write plaintext to a disk, never log
what is on the screen, and never go on when a chunk can't be made durable.
"""
