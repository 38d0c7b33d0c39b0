"""Logs: one JSON object a line on stderr, with the request and session they belong to, and without secrets.

`configure` once, at the start of a process; everything logged through structlog or the standard library's
logging then has the same shape: `time` (RFC 3339), `level`, `service`, `event`, and what was bound.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from lucid_kit.clock import SystemClock, rfc3339

HIDDEN = "[hidden]"

_SECRET_NAME = re.compile(
    r"token|password|passwd|passphrase|secret|authorization|cookie|credential|mnemonic|private"
    r"|(^|[_-])key($|[_-])|apikey",
    flags=re.IGNORECASE,
)
# What looks like a secret whatever it is called: bearer tokens, JWTs, passwords in URLs, PEM private keys.
_SECRET_TEXT = re.compile(
    r"(?i:bearer)\s+[^\s\"',;]+"
    r"|\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_DEEP = 8


def configure(service: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log of this process to `stream` (stderr when None) as JSON lines.

    `level` is debug, info, warning or error. Calling it again replaces what was configured before.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    clock = SystemClock()

    def stamp(_logger: Any, _method: str, event: EventDict) -> EventDict:
        return {"time": rfc3339(clock.now_ms()), "service": service, **event}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        stamp,
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    render = structlog.processors.JSONRenderer(ensure_ascii=True)
    target = sys.stderr if stream is None else stream
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for chatty in ("httpx", "httpcore", "pymongo", "asyncio"):
        logging.getLogger(chatty).setLevel(max(number, logging.WARNING))


def _until_configured() -> None:
    """Before `configure`, warnings go to stderr: structlog's default is stdout, the program's own."""
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, hide_secrets, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger() -> FilteringBoundLogger:
    """A logger: `log.info("chunk.stored", index=3)`. Events are dotted nouns and verbs, not sentences."""
    return cast(FilteringBoundLogger, structlog.get_logger())


@contextmanager
def bind(**facts: object) -> Iterator[None]:
    """Add `request_id=…`, `session_id=…` and the like to everything this task logs inside the block."""
    with structlog.contextvars.bound_contextvars(**facts):
        yield


def hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: replaces values under secret names, and text that looks like a secret."""
    return {name: _hidden(name, value, 0) for name, value in event.items()}


def scrub(text: str) -> str:
    """The text without what looks like a secret in it."""
    return _SECRET_TEXT.sub(HIDDEN, text)


def _hidden(name: str, value: object, depth: int) -> object:
    if _SECRET_NAME.search(name) and not name.startswith("public"):
        return value if value is None or isinstance(value, bool) else HIDDEN
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if depth >= _DEEP:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _hidden(str(key), item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden("", item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub(str(value))


if not structlog.is_configured():
    _until_configured()
