"""`python -m lucid.sessions.deadman`: cuts every desktop if the session service ends without a word.

A recorder ends with the service that started it. Whoever sits at the desktop must not go on unrecorded until
the service is back: this process reads from a pipe which desktops are live, and acts when the pipe closes. It
needs the standard library alone, and holds no secret until it needs the token.
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from lucid.sessions.processes import end_all

_ANSWER_S = 3.0

Live = dict[str, list[tuple[int, int]]]


def follow(lines: TextIO) -> Live:
    """Read until the pipe closes; the desktops that were live then, each with its processes (pid, start)."""
    live: Live = {}
    for line in lines:
        try:
            said = json.loads(line)
        except ValueError:
            break  # torn: the service ended while it wrote
        if said["processes"] is None:
            live.pop(said["desktop"], None)
        else:
            live[said["desktop"]] = [(pid, ticks) for pid, ticks in said["processes"]]
    return live


def cut(desktop: str, processes: list[tuple[int, int]], rdp_url: str, token_file: Path) -> None:
    """End a desktop through its server, or by its processes if that does not answer."""
    try:
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's setting
            f"{rdp_url}/rdp/servers/{quote(desktop, safe='')}",
            method="DELETE",
            headers={"Authorization": f"Bearer {token_file.read_text('ascii').strip()}"},
        )
        with urllib.request.urlopen(request, timeout=_ANSWER_S):  # noqa: S310
            return
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code == 404:
            return
    end_all(processes)


def main() -> int:
    """Arguments: the address of lucid.rdp, and the file with the token for it."""
    rdp_url, token_file = sys.argv[1], Path(sys.argv[2])
    for desktop, processes in follow(sys.stdin).items():
        print(f"deadman: the session service is gone; cutting {desktop}", file=sys.stderr, flush=True)
        cut(desktop, processes, rdp_url, token_file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
