"""Finding a port nobody listens on."""

import socket
from collections.abc import Collection

from lucid.rdp.errors import PortsExhausted


def free_port(host: str, first: int, last: int, taken: Collection[int]) -> int:
    """The lowest port from `first` to `last` that is not in `taken` and can be bound now.

    Raises
    ------
    PortsExhausted
        If there is none.
    """
    for port in range(first, last + 1):
        if port not in taken and _can_bind(host, port):
            return port
    raise PortsExhausted(f"No port is free from {first} to {last}", first=first, last=last)


def _can_bind(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As xrdp does: connections in TIME_WAIT are no reason to pass a port over, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
        return True
