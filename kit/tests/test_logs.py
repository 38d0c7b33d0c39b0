import io
import json
import logging

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lucid_kit import logs, tokens
from lucid_kit.clock import ManualClock


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("example", stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_log_is_one_json_line_with_time_service_level_and_what_is_bound(stream: io.StringIO) -> None:
    with logs.bind(request_id="req_1", session_id="ses_1"):
        logs.get_logger().info("chunk.stored", index=3)
    logs.get_logger().warning("after")
    first, second = lines(stream)
    assert str(first.pop("time")).endswith("Z")
    assert first == {"service": "example", "level": "info", "event": "chunk.stored", "index": 3,
                     "request_id": "req_1", "session_id": "ses_1"}  # fmt: skip
    assert "request_id" not in second


def test_what_libraries_log_has_the_same_shape(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("took %d ms\nsecond line", 5)
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["service"]) == (
        "took 5 ms\nsecond line",
        "some.library",
        "example",
    )


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    logs.get_logger().debug("quiet")
    logging.getLogger("x").debug("quiet")
    assert lines(stream) == []
    logs.configure("example", level="debug", stream=stream)
    logs.get_logger().debug("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "Password",
        "client_secret",
        "key",
        "dek_key",
        "api-key",
        "Authorization",
        "private_key",
    ],
)
def test_values_under_secret_names_are_hidden_at_any_depth(stream: io.StringIO, name: str) -> None:
    logs.get_logger().info("x", **{name: "hunter2"}, deep={"list": [{name: "hunter2"}]})
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count(logs.HIDDEN) == 2


def test_public_keys_and_keyboards_are_no_secrets(stream: io.StringIO) -> None:
    logs.get_logger().info("x", public_key="abc", keyboard="de", monkey="m", has_token=True)
    line = lines(stream)[0]
    assert (line["public_key"], line["keyboard"], line["monkey"], line["has_token"]) == (
        "abc",
        "de",
        "m",
        True,
    )


def test_tokens_in_text_and_tracebacks_are_hidden(stream: io.StringIO) -> None:
    token = tokens.mint(Ed25519PrivateKey.generate(), "u", ["*"], 60, "i", "a", ManualClock())
    try:
        raise RuntimeError(f"GET /x with Authorization: Bearer {token} failed")
    except RuntimeError:
        logs.get_logger().exception("failed", url="mongodb://root:hunter2@db/x", note=f"t={token}")
    text = stream.getvalue()
    assert token not in text
    assert token[:40] not in text
    assert "hunter2" not in text
    assert "RuntimeError" in text


def test_a_private_key_in_text_is_hidden() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIB\n-----END PRIVATE KEY-----"
    assert logs.scrub(f"read {pem} from") == f"read {logs.HIDDEN} from"


@given(
    st.recursive(
        st.none() | st.text() | st.binary() | st.floats() | st.builds(object),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_anything_can_be_logged(value: object) -> None:
    stream = io.StringIO()
    logs.configure("example", stream=stream)
    logs.get_logger().info("x", value=value, lone="\ud800")
    assert len(lines(stream)) == 1


def test_bytes_are_logged_by_their_length_and_bottomless_values_end(stream: io.StringIO) -> None:
    deep: list[object] = []
    deep.append(deep)
    logs.get_logger().info("x", blob=b"12345", deep=deep)
    assert lines(stream)[0]["blob"] == "[5 bytes]"
