import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lucid_kit.custody import CannotUnwrap, CustodyUnusable, KeyCustody, KeyFile, WrappedKey

CONTEXT = {"session": "ses_1", "use": "chunks"}


@pytest.fixture
def custody(tmp_path: Path) -> KeyCustody:
    return KeyFile(tmp_path / "keys.json")


async def test_a_key_comes_back_in_the_context_it_was_wrapped_in(custody: KeyCustody) -> None:
    wrapped = await custody.wrap(b"k" * 32, CONTEXT)
    assert await custody.unwrap(wrapped, dict(reversed(CONTEXT.items()))) == b"k" * 32
    assert b"k" * 8 not in wrapped.bytes
    assert wrapped != await custody.wrap(b"k" * 32, CONTEXT)


@pytest.mark.parametrize(
    "context", [{}, {"session": "ses_2", "use": "chunks"}, {"session": "ses_1"}, {"x": "ses_1"}]
)
async def test_a_key_does_not_come_back_in_another_context(
    custody: KeyCustody, context: dict[str, str]
) -> None:
    wrapped = await custody.wrap(b"k" * 32, CONTEXT)
    with pytest.raises(CannotUnwrap):
        await custody.unwrap(wrapped, context)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_wrapped_key_with_any_bit_changed_or_cut_is_refused(
    custody: KeyCustody, data: st.DataObject
) -> None:
    wrapped = await custody.wrap(b"k" * 32, CONTEXT)
    bit = data.draw(st.integers(0, len(wrapped.bytes) * 8 - 1))
    changed = bytearray(wrapped.bytes)
    changed[bit // 8] ^= 1 << bit % 8
    length = data.draw(st.integers(0, len(wrapped.bytes)))
    assume(length < len(wrapped.bytes))
    for altered in (bytes(changed), wrapped.bytes[:length], b""):
        with pytest.raises(CannotUnwrap, match="altered"):
            await custody.unwrap(WrappedKey(altered, wrapped.key_id), CONTEXT)


async def test_rotation_uses_a_new_key_and_still_opens_what_older_ones_wrapped(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    custody = KeyFile(path)
    old = await custody.wrap(b"old", CONTEXT)
    new_id = await custody.rotate()
    new = await custody.wrap(b"new", CONTEXT)
    assert (new.key_id, new.key_id == old.key_id) == (new_id, False)
    again = KeyFile(path)
    assert await again.unwrap(old, CONTEXT) == b"old"
    assert await again.unwrap(new, CONTEXT) == b"new"
    assert (await again.wrap(b"x", CONTEXT)).key_id == new_id
    with pytest.raises(CannotUnwrap):
        await again.unwrap(WrappedKey(old.bytes, new_id), CONTEXT)
    with pytest.raises(CannotUnwrap, match="holds no key"):
        await KeyFile(tmp_path / "other.json").unwrap(old, CONTEXT)


def test_the_key_file_is_its_owners_alone_and_refused_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    KeyFile(path)
    assert path.stat().st_mode & 0o777 == 0o600
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(CustodyUnusable, match="others"):
            KeyFile(path)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format":"lucid-keys/1","keys":{}}', '{"format":"x","keys":{"a":"%s"}}' % ("00" * 32),
     '{"format":"lucid-keys/1","keys":{"a":"00"}}', '{"format":"lucid-keys/1","keys":{"a":"zz"}}'],
)  # fmt: skip
def test_a_file_that_is_no_key_file_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(CustodyUnusable):
        KeyFile(path)
    assert path.read_text() == content


def test_no_error_repeats_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    KeyFile(path)
    secret = next(iter(json.loads(path.read_text())["keys"].values()))
    path.write_text(path.read_text().replace("lucid-keys/1", "lucid-keys/9"))
    with pytest.raises(CustodyUnusable) as caught:
        KeyFile(path)
    assert secret not in str(caught.value) + str(caught.value.facts)
