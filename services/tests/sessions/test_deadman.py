"""The dead man's switch: reads who is live until the pipe closes, then cuts exactly those."""

import asyncio
import http.server
import io
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucid.sessions.deadman import cut, follow
from lucid.sessions.guard import Guard
from lucid.sessions.processes import start_ticks


class Server(http.server.HTTPServer):
    """Notes what is deleted, and with which token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.deleted: list[tuple[str, str | None]] = []
        self.status = 204

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_DELETE(self) -> None:
        assert isinstance(self.server, Server)
        self.server.deleted.append((self.path, self.headers["Authorization"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("abc\n")
    return path


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def line(desktop: str, processes: list[tuple[int, int]] | None) -> str:
    return json.dumps({"desktop": desktop, "processes": processes}) + "\n"


def test_who_was_dropped_is_not_live_and_a_torn_line_ends_the_list() -> None:
    said = line("srv_1", [(5, 6)]) + line("srv_2", []) + line("srv_1", None) + '{"desktop":"srv_3"'
    assert follow(io.StringIO(said)) == {"srv_2": []}


def test_a_desktop_is_cut_through_its_server(
    server: Server, token: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    for server.status in (204, 404):
        cut("srv_1", [(sleeper.pid, start_ticks(sleeper.pid))], server.url, token)
    assert server.deleted == [("/rdp/servers/srv_1", "Bearer abc")] * 2
    assert sleeper.poll() is None


def test_a_desktop_whose_server_does_not_do_it_is_killed(
    server: Server, token: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    server.status = 500
    cut("srv_1", [(sleeper.pid, start_ticks(sleeper.pid))], server.url, token)
    assert sleeper.wait(10) == -9


async def test_the_guard_starts_its_helper_anew_and_tells_it_everything(server: Server, token: Path) -> None:
    guard = Guard(server.url, token)
    guard.note("srv_1", [])
    guard.note("srv_2", [])
    assert guard._process is not None
    guard._process.kill()
    guard._process.wait()
    guard.note("srv_3", [])
    guard.drop("srv_2")
    guard.drop("srv_2")
    await asyncio.to_thread(guard.close)
    assert sorted(path for path, _ in server.deleted) == ["/rdp/servers/srv_1", "/rdp/servers/srv_3"]
