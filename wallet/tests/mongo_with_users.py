"""A real MongoDB replica set of one member that asks for passwords, for as long as a test."""

import contextlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

ROOT = Path(__file__).parents[2]
PASSWORD = secrets.token_urlsafe(16)


@contextlib.contextmanager
def replica_set() -> Iterator[str]:
    """Gives an administrator's address of it."""
    done = subprocess.run([ROOT / "scripts/mongod"], stdout=subprocess.PIPE, check=True, text=True)
    home = Path(tempfile.mkdtemp(prefix="lucid-mongo-"))
    (home / "data").mkdir()
    (home / "members.key").write_text(secrets.token_hex(64))
    (home / "members.key").chmod(0o600)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [done.stdout.strip(), "--auth", "--keyFile", home / "members.key", "--dbpath", home / "data"]
    command += [
        "--port",
        str(port),
        "--bind_ip",
        "127.0.0.1",
        "--replSet",
        "rs0",
        "--quiet",
        "--nounixsocket",
    ]
    command += ["--logpath", home / "log", "--wiredTigerCacheSizeGB", "0.25"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield _with_administrator(port)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _with_administrator(port: int) -> str:
    # As long as there is no user, one may be made from this machine.
    with MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{port}/?directConnection=true") as first:
        member = {"_id": 0, "host": f"127.0.0.1:{port}"}
        first.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
        deadline = time.monotonic() + 60
        while not first.admin.command("hello")["isWritablePrimary"]:
            assert time.monotonic() < deadline, "no primary within 60 s"
            time.sleep(0.05)
        while True:
            with contextlib.suppress(PyMongoError):
                role = {"role": "userAdminAnyDatabase", "db": "admin"}
                first.admin.command("createUser", "root", pwd=PASSWORD, roles=[role])
                return f"mongodb://root:{PASSWORD}@127.0.0.1:{port}/?replicaSet=rs0&authSource=admin"
            assert time.monotonic() < deadline, "no administrator within 60 s"
            time.sleep(0.05)
