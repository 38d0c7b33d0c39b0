"""Where a tiled log is read from: a directory or an http(s) URL; bounded in size and time."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Final

from lucid_proof.errors import LogUnreadable
from lucid_proof.tiles import MAX_BUNDLE

MAX_SECONDS: Final = 120
MAX_BYTES: Final = 512 * 1024 * 1024
_REQUEST_SECONDS: Final = 15


def open_log(source: str, clock: Callable[[], float] = time.monotonic) -> Callable[[str], bytes]:
    """A function that reads what is at a path below the log's prefix.

    It raises FileNotFoundError where nothing is, and `LogUnreadable` for what cannot be read, is larger than
    any tile, or once all reading together takes more than 120 s or 512 MiB.

    Parameters
    ----------
    source : str
        A directory, or an http:// or https:// URL: the prefix of `checkpoint` and `tile/`.
    """
    read = _from_url(source.rstrip("/")) if "://" in source else _from_directory(Path(source))
    ends = clock() + MAX_SECONDS
    left = MAX_BYTES

    def fetch(path: str) -> bytes:
        nonlocal left
        data = read(path)
        left -= len(data)
        if len(data) > MAX_BUNDLE or left < 0 or clock() > ends:
            raise LogUnreadable(f"too much to read: more than {MAX_BYTES} bytes, or {MAX_SECONDS} s", path)
        return data

    return fetch


def _from_directory(prefix: Path) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        place = prefix / path
        try:
            if not place.is_file():
                raise FileNotFoundError(str(place))
            with place.open("rb") as file:
                return file.read(MAX_BUNDLE + 1)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LogUnreadable(f"cannot be read: {error.strerror or error}", str(place)) from error

    return read


def _from_url(prefix: str) -> Callable[[str], bytes]:
    if not prefix.startswith(("http://", "https://")):
        raise LogUnreadable("not a directory, and not an http:// or https:// URL", prefix)
    # Only these handlers: no file:, no ftp:, whatever a redirect says.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)

    def read(path: str) -> bytes:
        url = f"{prefix}/{path}"
        try:
            with opener.open(url, timeout=_REQUEST_SECONDS) as answer:
                data: bytes = answer.read(MAX_BUNDLE + 1)
                return data
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 410):
                    raise FileNotFoundError(url) from error
                raise LogUnreadable(f"the server answered {error.code} {error.reason}", url) from error
        except (OSError, HTTPException, ValueError) as error:
            raise LogUnreadable(f"cannot be read: {getattr(error, 'reason', error)}", url) from error

    return read
