"""A real MongoDB replica set on loopback, for as long as a test run."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

ROOT = Path(__file__).parents[2]


def mongod() -> str:
    done = subprocess.run(
        [ROOT / "scripts/mongod"], stdout=subprocess.PIPE, check=True, text=True, timeout=600
    )
    return done.stdout.strip()


class ReplicaSet:
    """`members` processes; `url` reaches them all, `kill_primary` is a power cut."""

    def __init__(self, members: int, home: Path) -> None:
        self._binary, self._home = mongod(), home
        self.ports = [_free_port() for _ in range(members)]
        self.processes = {port: self._start(port) for port in self.ports}
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        self.url = f"mongodb://{hosts}/lucid?replicaSet=rs0"
        try:
            self._initiate()
        except BaseException:
            self.stop()
            raise

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        data = self._home / str(port)
        data.mkdir()
        return subprocess.Popen(
            [self._binary, "--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1",
             "--replSet", "rs0",
             "--wiredTigerCacheSizeGB", "0.25", "--quiet", "--logpath", data / "log", "--nounixsocket",
             "--setParameter", "diagnosticDataCollectionEnabled=false"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def _initiate(self) -> None:
        members = [{"_id": n, "host": f"127.0.0.1:{port}"} for n, port in enumerate(self.ports)]
        fast = {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200}
        # All must answer before the first one is told of the others, or it refuses to begin.
        for port in reversed(self.ports):
            first = MongoClient[dict[str, object]](f"mongodb://127.0.0.1:{port}/?directConnection=true")
            with contextlib.closing(first):
                first.admin.command("ping")
        first = MongoClient[dict[str, object]](f"mongodb://127.0.0.1:{self.ports[0]}/?directConnection=true")
        with contextlib.closing(first):
            first.admin.command("replSetInitiate", {"_id": "rs0", "members": members, "settings": fast})
        deadline = time.monotonic() + 60
        with contextlib.closing(MongoClient[dict[str, object]](self.url)) as client:
            while True:
                with contextlib.suppress(PyMongoError):
                    states = client.admin.command("replSetGetStatus")["members"]
                    if sorted(str(m["stateStr"]) for m in states) == [
                        "PRIMARY",
                        *["SECONDARY"] * (len(states) - 1),
                    ]:
                        return
                assert time.monotonic() < deadline, "no primary within 60 s"
                time.sleep(0.05)

    def kill_primary(self) -> None:
        with contextlib.closing(MongoClient[dict[str, object]](self.url)) as client:
            client.admin.command("ping")
            assert client.primary is not None
            port = client.primary[1]
        process = self.processes.pop(port)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@contextlib.contextmanager
def replica_set(members: int) -> Iterator[ReplicaSet]:
    home = Path(tempfile.mkdtemp(prefix="lucid-mongo-"))
    servers = None
    try:
        servers = ReplicaSet(members, home)
        yield servers
    finally:
        if servers is not None:
            servers.stop()
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
