"""Limits for a whole session where the machine has writable control groups (cgroup v2).

Elsewhere the limits of setrlimit(2) hold, which are per process (memory) and per user (number of processes).
"""

import contextlib
import secrets
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_PARENT = "lucid-rdp"
_NEEDED = {"memory", "pids"}


class Cgroups:
    """Control groups for sessions, one below `lucid-rdp` each.

    Parameters
    ----------
    root
        Where the unified hierarchy is mounted.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def prepare(self) -> bool:
        """Whether sessions get groups here: true when memory and pids can be delegated to ours."""
        try:
            offered = set((self._root / "cgroup.controllers").read_text().split())
            if not offered >= _NEEDED:
                return False
            parent = self._root / _PARENT
            parent.mkdir(exist_ok=True)
            for level in (self._root, parent):
                (level / "cgroup.subtree_control").write_text("+memory +pids")
        except OSError:
            return False
        return True

    def make(self, memory_bytes: int, processes: int) -> Path:
        """A new group with those limits.

        Raises
        ------
        OSError
            If the kernel refuses.
        """
        group = self._root / _PARENT / f"srv-{secrets.token_hex(8)}"
        group.mkdir()
        try:
            (group / "memory.max").write_text(str(memory_bytes))
            (group / "memory.oom.group").write_text("1")
            (group / "pids.max").write_text(str(processes))
        except OSError:
            self.remove(group)
            raise
        return group

    def remove(self, group: Path) -> None:
        """Remove a group nobody is in any more; kill who is, first."""
        with contextlib.suppress(OSError):
            (group / "cgroup.kill").write_text("1")
        with contextlib.suppress(OSError):
            group.rmdir()
