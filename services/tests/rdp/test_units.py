"""The parts that need neither root nor xrdp."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from lucid.rdp import certificates, doorman, layout, passwords, ports, probe, processes
from lucid.rdp.cgroups import Cgroups
from lucid.rdp.errors import PortsExhausted, ProgramsMissing
from lucid.rdp.inside import children
from lucid.rdp.inside.plan import Plan
from lucid.rdp.layout import Place
from lucid.rdp.models import Identity, Record, Server, State
from lucid.rdp.settings import RdpSettings
from lucid.rdp.store import RecordStore, RecordUnreadable
from lucid.rdp.tuning import Tuning, TuningUnreadable

TEXT = st.text(max_size=60)
SIZE = st.integers(0, 65535)


@pytest.fixture
def settings(tmp_path: Path) -> RdpSettings:
    return RdpSettings(data=tmp_path)


def request(login: doorman.Login, code: int = 20) -> bytes:
    def text(value: str) -> bytes:
        data = value.encode("utf-8", "surrogateescape")
        return struct.pack(">H", len(data)) + data

    numbers = struct.pack(">HHH", login.width, login.height, 24)
    rest = text("domain") + text("") + text("") + text(login.client)
    return struct.pack(">H", code) + text(login.username) + text(login.password) + numbers + rest


@given(st.builds(doorman.Login, TEXT, TEXT, SIZE, SIZE, TEXT))
def test_a_login_is_read_as_xrdp_wrote_it(login: doorman.Login) -> None:
    assert doorman.read_login(request(login)) == login


@given(st.binary(max_size=300))
def test_any_bytes_are_a_login_or_refused(body: bytes) -> None:
    with contextlib.suppress(doorman.NotALogin):
        doorman.read_login(body)


@given(st.integers(0, 60))
def test_a_login_cut_short_or_followed_by_more_is_refused(cut: int) -> None:
    whole = request(doorman.Login("user", "secret", 800, 600, "somewhere"))
    for broken in (whole[: min(cut, len(whole) - 1)], whole + bytes(cut + 1), request(LOGIN, code=4)):
        with pytest.raises(doorman.NotALogin):
            doorman.read_login(broken)


LOGIN = doorman.Login("user", "secret", 800, 600, "somewhere")


def test_a_login_does_not_show_its_password() -> None:
    assert "secret" not in repr(LOGIN)


def test_the_answer_names_the_display_or_nothing() -> None:
    assert doorman.answer(101)[8:14] == struct.pack(">HHH", 3, 1, 101)
    assert doorman.answer(None)[8:14] == struct.pack(">HHH", 3, 0, 0)
    assert struct.unpack(">II", doorman.answer(7)[:8]) == (0, len(doorman.answer(7)))


async def knock(door: doorman.Doorman, data: bytes) -> bytes:
    port = await door.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    said = b""
    with contextlib.suppress(ConnectionResetError):
        said = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()
    await door.close()
    return said


def framed(body: bytes) -> bytes:
    return struct.pack(">II", 0, 8 + len(body)) + body


async def yes(login: doorman.Login, inode: int) -> doorman.Seat | None:
    async def arrived() -> None:
        return None

    return doorman.Seat(105, arrived) if login.password == "secret" and inode else None


async def test_the_doorman_refuses_a_wrong_password() -> None:
    said = await knock(doorman.Doorman(os.getuid(), yes), framed(request(replace(LOGIN, password="guess"))))
    assert said == doorman.answer(None)


async def test_the_doorman_hears_nobody_but_its_own_xrdp() -> None:
    assert await knock(doorman.Doorman(os.getuid() + 1, yes), framed(request(LOGIN))) == b""


@pytest.mark.parametrize(
    "data", [struct.pack(">II", 1, 20) + bytes(12), struct.pack(">II", 0, 9000), framed(b"x")]
)
async def test_the_doorman_closes_on_what_is_no_login(data: bytes) -> None:
    assert await knock(doorman.Doorman(os.getuid(), yes), data) == b""


async def test_the_doorman_seats_who_has_the_password_and_hears_of_the_arrival() -> None:
    came = asyncio.Event()

    async def judge(_login: doorman.Login, _inode: int) -> doorman.Seat:
        async def arrived() -> None:
            came.set()

        return doorman.Seat(105, arrived)

    door = doorman.Doorman(os.getuid(), judge)
    reader, writer = await asyncio.open_connection("127.0.0.1", await door.open())
    writer.write(framed(request(LOGIN)))
    assert await reader.readexactly(30) == doorman.answer(105)
    assert not came.is_set()
    writer.close()
    await asyncio.wait_for(came.wait(), 5)
    await door.close()


def test_a_sealed_password_opens_for_itself_alone() -> None:
    password = passwords.new_password()
    sealed = passwords.seal(password)
    assert passwords.opens(sealed, password)
    assert not passwords.opens(sealed, password[:-1])
    assert password not in sealed
    assert passwords.seal(password) != sealed


def test_a_certificate_is_named_by_its_fingerprint_and_has_its_own_key() -> None:
    first, second = (certificates.new_certificate("lucid", 1_795_345_000_000) for _ in range(2))
    read = x509.load_pem_x509_certificate(first.certificate.encode())
    assert read.fingerprint(read.signature_hash_algorithm).hex() == first.fingerprint  # type: ignore[arg-type]
    assert first.key != second.key


def test_a_port_in_use_is_passed_over_and_a_full_range_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortsExhausted):
            ports.free_port("127.0.0.1", port, port, ())
        with pytest.raises(PortsExhausted):
            ports.free_port("127.0.0.1", port + 1, port + 1, {port + 1})


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n", bytes.fromhex("0300000b06d00000123400")])
async def test_what_does_not_speak_rdp_over_tls_is_told_apart(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(19)
        writer.write(said)
        writer.write_eof()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        with pytest.raises(probe.NotRdp):
            await probe.handshake("127.0.0.1", server.sockets[0].getsockname()[1], 5)


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    identity = processes.identify(sleeper.pid)
    assert identity is not None
    descriptor = processes.open_process(identity)
    assert descriptor is not None
    assert processes.open_process(replace(identity, started=identity.started - 1)) is None
    assert processes.open_process(replace(identity, boot="another")) is None
    assert processes.usage(sleeper.pid).processes == 1
    processes.kill(descriptor)
    assert sleeper.wait() == -signal.SIGKILL
    processes.kill(descriptor)
    os.close(descriptor)
    assert processes.open_process(identity) is None
    assert processes.identify(sleeper.pid) is None
    assert processes.tree(sleeper.pid) == processes.children(sleeper.pid) == []
    assert processes.name(sleeper.pid) == ""


def test_the_other_end_of_a_loopback_connection_is_found() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server, socket.create_connection(server.getsockname()) as client, server.accept()[0]:
        peer = processes.tcp_owner(client.getsockname()[1], server.getsockname()[1])
        assert peer is not None
        assert peer.uid == os.getuid()
        assert processes.holder(peer.inode, [1 << 22, os.getpid()]) == os.getpid()
        assert processes.holder(peer.inode, []) is None
    assert processes.tcp_owner(1, 1) is None


def test_clients_of_a_unix_socket_count_before_and_after_they_are_accepted(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        assert processes.connections(path) == 0
        client.connect(path)
        assert processes.connections(path) == 1
        with server.accept()[0]:
            assert processes.connections(path) == 1
    assert processes.connections(path) == 0


def test_two_managers_with_ports_of_their_own_give_no_user_twice(tmp_path: Path) -> None:
    managers = [RdpSettings(data=tmp_path, first_port=first, last_port=first + 9) for first in (13400, 13410)]
    places = [
        Place.of(port, each) for each in managers for port in range(each.first_port, each.last_port + 1)
    ]
    users = [user for place in places for user in (place.display_uid, place.person_uid)]
    assert len(set(users)) == len(users) == 40


def test_a_plan_survives_its_journey(settings: RdpSettings) -> None:
    tls = certificates.new_certificate("lucid", 0)
    plan = layout.plan(Place.of(13390, settings), "someone", (800, 600), 4000, tls, settings, "")
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.display == ":13390"
    assert str(settings.data) in plan.masked
    assert plan.after_gate.uid not in {program.uid for program in plan.at_once}
    assert plan.after_gate.capabilities == []


def test_the_cookie_file_fits_any_host(settings: RdpSettings) -> None:
    text = layout.xauthority(100, bytes(range(16))).encode("latin-1")
    assert text[:2] == b"\xff\xff"
    assert text.endswith(bytes(range(16)))
    assert b"\x00\x03100\x00\x12MIT-MAGIC-COOKIE-1\x00\x10" in text


def test_missing_programs_are_named_with_the_command_that_installs_them(settings: RdpSettings) -> None:
    wanting = settings.model_copy(update={"desktop_command": ["no-such-desktop"]})
    with pytest.raises(ProgramsMissing, match="apt-get install no-such-desktop"):
        layout.check_programs(wanting)


def test_without_xrdp_the_error_says_how_to_get_it(
    settings: RdpSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(layout._NEEDED, "xrdp", ("/nowhere/xrdp", "xrdp"))
    with pytest.raises(ProgramsMissing, match="apt-get install xrdp"):
        layout.check_programs(settings)


async def test_a_record_comes_back_as_it_was_but_for_its_display(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "servers")
    store.prepare()
    server = Server("srv_1", "ses_1", "127.0.0.1", 13389, "u", 800, 600, True, 1, state=State.READY)
    record = Record(server, "salt:hash", Identity(5, 6, "boot"), "/sys/x", "key")
    await store.save(record)
    assert store.load() == [record]
    await store.remove("srv_1")
    await store.remove("srv_1")
    assert store.load() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"server": {}}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "srv_1.json").write_text(text)
    with pytest.raises(RecordUnreadable, match=r"srv_1\.json"):
        RecordStore(tmp_path).load()


def test_what_was_changed_holds_after_a_restart(settings: RdpSettings) -> None:
    tuning = Tuning(settings)
    tuning.change(tuning.limits.model_copy(update={"processes": 77}))
    tuning.change(tuning.xrdp.model_copy(update={"linger_ms": 9}))
    later = Tuning(settings)
    later.load()
    assert (later.settings.processes, later.settings.linger_ms) == (77, 9)


@pytest.mark.parametrize("text", ["{", "[]", '{"limits": {"processes": -1}}', '{"limits": {"x": 1}}'])
def test_a_damaged_tuning_file_is_named(settings: RdpSettings, text: str) -> None:
    (settings.data / "tuning.json").write_text(text)
    with pytest.raises(TuningUnreadable, match=r"tuning\.json"):
        Tuning(settings).load()


@pytest.fixture
def hierarchy(tmp_path: Path) -> Callable[[str], Path]:
    def make(controllers: str) -> Path:
        (tmp_path / "cgroup.controllers").write_text(controllers)
        return tmp_path

    return make


def test_control_groups_are_used_only_where_memory_and_pids_are_offered(
    hierarchy: Callable[[str], Path], tmp_path: Path
) -> None:
    assert not Cgroups(tmp_path / "nowhere").prepare()
    assert not Cgroups(hierarchy("cpu io")).prepare()
    assert Cgroups(hierarchy("cpu memory pids")).prepare()


def test_a_control_group_has_the_limits(hierarchy: Callable[[str], Path]) -> None:
    groups = Cgroups(hierarchy("memory pids"))
    assert groups.prepare()
    group = groups.make(1 << 30, 99)
    assert (group / "memory.max").read_text() == str(1 << 30)
    assert (group / "pids.max").read_text() == "99"
    groups.remove(group)
    assert (group / "cgroup.kill").read_text() == "1"


def test_an_end_is_told_in_words(tmp_path: Path) -> None:
    assert children.describe(-9) == "killed by SIGKILL"
    assert children.describe(0) == "exit status 0"
    (tmp_path / "x.log").write_text("a" * 3000 + "end")
    assert children.tail("x", str(tmp_path)).endswith("end")
    assert children.tail("y", str(tmp_path)) == ""
