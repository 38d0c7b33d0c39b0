"""Names for things: a type prefix and a UUIDv7 (RFC 9562), so that ids sort by the time they were made."""

import re

import uuid_utils

_UUID7 = "[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"
_PREFIX = re.compile("[a-z][a-z0-9]{0,15}")


def new_id(prefix: str) -> str:
    """A new id such as `ses_0193…`: the prefix, an underscore, and a UUIDv7 as 32 hexadecimal digits."""
    _check(prefix)
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` is an id with that prefix, exactly as `new_id` writes it."""
    _check(prefix)
    return re.fullmatch(f"{prefix}_{_UUID7}", text) is not None


def pattern(prefix: str) -> str:
    """The regular expression of ids with that prefix, for OpenAPI and pydantic."""
    _check(prefix)
    return f"^{prefix}_{_UUID7}$"


def _check(prefix: str) -> None:
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"{prefix!r} is no id prefix: a lowercase letter, then up to 15 letters or digits")
