"""Enter new namespaces and become the session's first process.

The argument is the control socket's descriptor.
"""

import os
import socket
import sys
from pathlib import Path

from lucid.rdp.inside import init, linux
from lucid.rdp.inside.plan import Plan


def main() -> int:
    """Read the plan, fork into the new namespaces, report the first process's pid as the host sees it."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    lines = control.makefile("rb")
    line = lines.readline()
    if not line:
        return 0  # a spare that was not needed
    plan = Plan.from_json(line)
    if plan.cgroup:
        Path(plan.cgroup, "cgroup.procs").write_text("0")
    try:
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWIPC)
    except OSError as error:
        init.tell(control, {"is": "refused", "detail": str(error)})
        return 1
    pid = os.fork()
    if pid == 0:
        init.run(plan, control)
    init.tell(control, {"is": "begun", "pid": pid})
    return 0


if __name__ == "__main__":
    sys.exit(main())
