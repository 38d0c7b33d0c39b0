"""Documents as the text that SQLite keeps.

SQLite's text functions end a string at U+0000, JSON's do not. So U+0000 is stored as U+0001 "0" and U+0001 as
U+0001 "1": every string has one form, and they sort as before.
"""

import json
from collections.abc import Callable
from typing import Any

from lucid_kit._documents_port import Document, Scalar, check_document
from lucid_kit.errors import ValidationFailed


def escape(value: Scalar) -> Scalar:
    """A value as it is stored and compared.

    Raises
    ------
    ValidationFailed
        If it is text that is not Unicode.
    """
    if isinstance(value, str):
        _check_text(value)
        return value.replace("\x01", "\x011").replace("\x00", "\x010")
    return value


def _unescape(text: str) -> str:
    return text.replace("\x010", "\x00").replace("\x011", "\x01")


def json_of(value: Scalar) -> str:
    """A value as `body -> path` gives it."""
    return json.dumps(escape(value), ensure_ascii=False)


def dump(document: Document) -> str:
    """A document as it is stored; raises what `check_document` raises."""
    text = check_document(document)
    if "\\u0000" in text or "\\u0001" in text:
        text = json.dumps(_deep(document, escape), ensure_ascii=False, separators=(",", ":"))
    return text


def load(text: str) -> Document:
    """The document that `dump` was given."""
    document: Document = json.loads(text)
    return _deep(document, _unescape) if "\\u0001" in text else document


def _deep(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {change(key): _deep(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_deep(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValidationFailed("Text must be Unicode; half a surrogate pair is not") from None
