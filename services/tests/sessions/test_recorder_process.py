"""A recorder as a child: what it inherits, what it hears, and that its last words are heard."""

import asyncio
import sys
from pathlib import Path

import pytest

from lucid.sessions.recorder_process import RecorderProcess

SAYS = """
import json, os, socket, sys
control = socket.socket(fileno=3)
key = os.read(4, 64)
def say(**what): control.sendall(json.dumps(what).encode() + b"\\n")
"""


async def spawn(script: str, key: bytes = bytes(32)) -> RecorderProcess:
    return await RecorderProcess.spawn([sys.executable, "-c", SAYS + script], key)


async def heard(recorder: RecorderProcess) -> list[dict[str, object]]:
    async with asyncio.timeout(20):
        return [message async for message in recorder.messages()]


async def test_it_gets_the_key_by_a_pipe_and_nothing_else_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_SESSIONS_TOKEN_FILE", "/somewhere")
    recorder = await spawn(
        "say(key=key.hex(), fds=sorted(int(f) for f in os.listdir('/proc/self/fd'))[:5],"
        " env=[n for n in os.environ if n.startswith('LUCID_SESSIONS_')], argv=' '.join(sys.argv))",
        key=b"k" * 32,
    )
    (said,) = await heard(recorder)
    assert (said["key"], said["env"]) == ((b"k" * 32).hex(), [])
    assert "6b6b" not in str(said["argv"])
    assert await recorder.wait() == 0
    await recorder.close()


async def test_its_last_words_are_heard_though_it_no_longer_listens() -> None:
    recorder = await spawn("control.shutdown(socket.SHUT_RD); say(**{'is': 'stopped'}); sys.exit(0)")
    await recorder.wait()
    for _ in range(100):
        await recorder.send({"do": "seen", "height": 1, "hash": "00" * 32})
    assert await heard(recorder) == [{"is": "stopped"}]
    await recorder.close()


async def test_it_is_ended_when_it_is_closed_while_someone_listens() -> None:
    recorder = await spawn("say(up=1); control.recv(100); control.recv(100)")
    listener = asyncio.create_task(heard(recorder))
    await recorder.send({"do": "wait"})
    await recorder.close()
    assert await recorder.wait() == -9
    assert await listener in ([{"up": 1}], [])
    assert not recorder.alive


async def test_what_is_no_json_or_never_ends_is_not_listened_to() -> None:
    garbled = await spawn("control.sendall(b'{nonsense\\n'); say(late=1)")
    assert await heard(garbled) == []
    await garbled.close()
    endless = await spawn("control.sendall(b'x' * (3 << 20))")
    assert await heard(endless) == []
    await endless.close()


async def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await RecorderProcess.spawn([str(tmp_path / "nothing")], bytes(32))
