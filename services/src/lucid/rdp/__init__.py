"""Remote desktops: one xrdp, one X server and one user per session, alone in namespaces of their own.

The manager finds a port, starts the session's processes, lets in whoever has the one-time password, opens
the gate when the recorder is attached, and takes everything away again. It must never show a desktop before
the gate is opened, never let a session see Lucid or another session, and never leave a process, port, mount
or segment behind.
"""
