"""Give each of the six services a database and a user of its own on a MongoDB replica set.

python -m lucid_tron.up.users --admin FILE --out DIR

FILE holds the address of the replica set as an administrator may use it, mongodb://ADMIN:…@HOSTS/?replicaSet=….
DIR gets a file for each service, `payouts.url` and so on, for its setting DOCUMENTS_URL_FILE: whoever reads
one has that one database. Run again it changes nothing; a file that was removed gets a new password.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from lucid_kit.errors import LucidError, SystemFault
from lucid_kit.files import make_dirs, write_atomic
from lucid_tron.plane import secret_in
from lucid_tron.up.directory import SERVICES

_PREFIX = "tron_"


class UsersNotMade(SystemFault):
    """The users of the services could not be made."""

    code = "LUCID_ERR_5853"
    advice = (
        "Check the administrator's address and role (userAdminAnyDatabase); running this again is harmless."
    )


def database_of(service: str) -> str:
    """The name of a service's database, and of its user."""
    return _PREFIX + service


def command(verb: str, service: str, password: str) -> dict[str, Any]:
    """The command that makes a service's user, or makes it anew: one role, on one database."""
    name = database_of(service)
    return {verb: name, "pwd": password, "roles": [{"role": "readWrite", "db": name}]}


def url_of(admin: str, service: str, password: str) -> str:
    """A service's own address of the same replica set."""
    parts, name = urlsplit(admin), database_of(service)
    hosts = parts.netloc.rpartition("@")[2]
    options = [each for each in parts.query.split("&") if each and not each.lower().startswith("authsource=")]
    return urlunsplit(("mongodb", f"{name}:{password}@{hosts}", f"/{name}", "&".join(options), ""))


def make_users(admin: str, out: Path) -> list[Path]:
    """Make all users and write their addresses; the files, readable by their owner alone.

    Raises
    ------
    UsersNotMade
        If MongoDB refuses or does not answer.
    """
    if not admin.startswith(("mongodb://", "mongodb+srv://")):
        raise UsersNotMade("The administrator's address does not begin with mongodb://")
    make_dirs(out)
    files = [out / f"{service}.url" for service in SERVICES]
    try:
        with MongoClient[dict[str, Any]](admin) as client:
            for service, file in zip(SERVICES, files, strict=True):
                # The file first: a user whose password nobody knows would be of no use to anybody.
                if not file.exists():
                    write_atomic(
                        file, url_of(admin, service, secrets.token_urlsafe(32)).encode() + b"\n", 0o600
                    )
                password = urlsplit(secret_in(file, file.name)).password or ""
                database = client[database_of(service)]
                known = database.command("usersInfo", database_of(service))["users"]
                database.command(command("updateUser" if known else "createUser", service, password))
    except (PyMongoError, ValueError) as error:
        raise UsersNotMade(f"MongoDB: {type(error).__name__}: {error}") from error
    return files


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0, or 1 with what went wrong on stderr."""
    os.umask(0o077)
    parser = argparse.ArgumentParser(
        prog="python -m lucid_tron.up.users", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--admin", type=Path, required=True, help="file with the administrator's mongodb://…")
    parser.add_argument("--out", type=Path, required=True, help="directory for the services' addresses")
    options = parser.parse_args(arguments)
    try:
        files = make_users(secret_in(options.admin, "--admin"), options.out)
    except (LucidError, OSError) as error:
        advice = error.advice if isinstance(error, LucidError) else "Correct that file and run it again."
        print(f"lucid_tron.up.users: {error}\n  {advice}", file=sys.stderr)
        return 1
    print("Six users, each for its own database. Tell each service where its address is:")
    for service, file in zip(SERVICES, files, strict=True):
        print(f"  LUCID_TRON_{service.upper()}_DOCUMENTS_URL_FILE={file}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
