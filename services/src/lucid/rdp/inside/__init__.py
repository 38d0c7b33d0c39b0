"""The first process of a session's PID namespace, started by the manager as `python -m lucid.rdp.inside`.

It builds the session's file system, starts its programs, opens the gate when told, reaps, and reports. Its
end ends every process, mount and shared memory segment of the session; so it ends when the manager does
(the control socket closes). It imports nothing but the standard library and knows no password.
"""
