"""`/tlog`: the log as c2sp.org/tlog-tiles has it. The same bytes lie in the data directory's `tlog/`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from lucid_blocks.api.shapes import Chain, SessionPath
from lucid_blocks.tlog import bundle_bytes, tile_bytes
from lucid_kit.errors import NotFound
from lucid_proof.records import MAX_SESSION_RECORDS
from lucid_proof.tiles import WIDTH, Tile, entries_path, tile_at

routes = APIRouter(prefix="/tlog", tags=["transparency log"])

_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_BRIEFLY: Final = {"Cache-Control": "public, max-age=1"}
_OCTETS: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_NUMBER: Final = re.compile(r"((?:x\d{3}/)*)(\d{3})(?:\.p/([1-9]\d{0,2}))?", flags=re.ASCII)


class TileUnknown(NotFound):
    """The log has no such tile."""

    code = "LUCID_ERR_1207"
    advice = "Read /tlog/checkpoint, and fetch only tiles that a log of its size has."


def _answers(kind: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {kind: {"schema": schema}}, "description": "As the specification has it."}}


_BYTES = _answers(_OCTETS, {"type": "string", "format": "binary"})
_LINES = _answers(_TEXT, {"type": "string"})
Number = Annotated[
    str, Path(description="Index in groups of three digits, such as x001/067, and .p/W if partial")
]


@routes.get("/checkpoint", response_class=Response, responses=_LINES)
def checkpoint(node: Chain) -> Response:
    """The newest signed checkpoint."""
    return Response(node.view.head().checkpoint, media_type=_TEXT, headers=_BRIEFLY)


@routes.get("/tile/entries/{number:path}", response_class=Response, responses=_BYTES)
def entries(node: Chain, number: Number) -> Response:
    """An entry bundle: each leaf after its length as two bytes, big-endian."""
    tile = _tile(node.view.size(), 0, number)
    return Response(
        bundle_bytes(node.ledger.store, tile.index, tile.width), media_type=_OCTETS, headers=_FOREVER
    )


@routes.get("/tile/{level}/{number:path}", response_class=Response, responses=_BYTES)
def tile(node: Chain, level: Annotated[int, Path(ge=0, le=63)], number: Number) -> Response:
    """A tile: up to 256 hashes of one level."""
    return Response(
        tile_bytes(node.ledger.store, _tile(node.view.size(), level, number)),
        media_type=_OCTETS,
        headers=_FOREVER,
    )


@routes.get("/proof/{session_id}", response_class=Response, responses=_LINES)
def proof(
    node: Chain,
    session_id: SessionPath,
    seq: Annotated[int | None, Query(ge=0, lt=MAX_SESSION_RECORDS, description="default: the newest")] = None,
) -> Response:
    """The c2sp.org/tlog-proof of a session's record."""
    return Response(node.view.tlog_proof(session_id, seq), media_type=_TEXT, headers=_BRIEFLY)


def _tile(size: int, level: int, number: str) -> Tile:
    """The tile that a path names, if a log of `size` leaves has it at least as wide."""
    match = _NUMBER.fullmatch(number)
    unknown = TileUnknown(f"A log of {size} leaves has no tile {level}/{number[:80]}.", size=size)
    if match is None:
        raise unknown
    index = int(match[1].replace("x", "").replace("/", "") + match[2])
    width = int(match[3] or WIDTH)
    try:
        there = tile_at(level, index, size)
    except ValueError:
        raise unknown from None
    # One tile, one address: leading groups of zeroes and partial tiles of full width have none.
    if width > there.width or not entries_path(index, width).endswith(f"/{number}"):
        raise unknown
    return Tile(level, index, width)
