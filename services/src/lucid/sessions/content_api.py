"""HTTP routes to what a session holds: chunks, proof, receipt, frames, video."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from lucid.sessions.api import READS
from lucid.sessions.errors import ReceiptMissing
from lucid.sessions.ranges import NotModified, wanted
from lucid.sessions.rooms import RoomsIn
from lucid.sessions.shapes import (
    GONE,
    MAX_INDEX,
    MAX_MS,
    UNSATISFIABLE,
    UPSTREAM,
    ChunkOut,
    ChunkPage,
    IndexPath,
    SessionPath,
)
from lucid_kit.http import needs
from lucid_proof.receipt import Receipt

routes = APIRouter(prefix="/sessions/{session_id}", tags=["content"])

VIEWS = needs("sessions:replay")
At = Annotated[
    Literal["first", "last"] | Annotated[int, Query(ge=0, le=MAX_MS)],
    Query(description="`first`, `last`, or milliseconds after the recording began"),
]


def _binary(media_type: str, description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {media_type: {"schema": {"type": "string", "format": "binary"}}},
    }


ZIP = "application/zip"
OCTETS = "application/octet-stream"
PNG = "image/png"
WEBM = "video/webm"


@routes.get("/chunks", dependencies=[READS])
async def chunks(
    session_id: SessionPath,
    rooms: RoomsIn,
    first: Annotated[int, Query(ge=0, le=MAX_INDEX)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ChunkPage:
    """The session's acknowledged chunks, in order."""
    await rooms.sessions.get(session_id)
    found = await rooms.ledger.chunks(session_id, first=first, limit=limit)
    return ChunkPage(
        chunks=[ChunkOut.of(chunk) for chunk in found],
        next=found[-1].index + 1 if len(found) == limit else None,
    )


@routes.get("/chunks/{index}", dependencies=[READS])
async def chunk(session_id: SessionPath, index: IndexPath, rooms: RoomsIn) -> ChunkOut:
    """One chunk."""
    await rooms.sessions.get(session_id)
    return ChunkOut.of(await rooms.ledger.chunk(session_id, index))


@routes.get(
    "/chunks/{index}/download",
    response_class=Response,
    responses={200: _binary(OCTETS, "The ciphertext."), **UPSTREAM},
    dependencies=[READS],
)
async def download(session_id: SessionPath, index: IndexPath, rooms: RoomsIn) -> Response:
    """A chunk's ciphertext. Without the session's key it says nothing; its SHA-256 is its ETag."""
    await rooms.sessions.get(session_id)
    found = await rooms.ledger.chunk(session_id, index)
    data = await rooms.chunks.read(found)
    return Response(data, media_type=OCTETS, headers={"ETag": f'"{found.sha256}"'})


@routes.get(
    "/proof",
    response_class=StreamingResponse,
    responses={
        200: _binary(ZIP, "The bundle (docs/specs/bundle.md)."),
        206: _binary(ZIP, "A part of the bundle."),
        304: {"description": "The bundle is the one that If-None-Match names."},
        **UNSATISFIABLE,
        **UPSTREAM,
    },
    dependencies=[READS],
)
async def proof(
    session_id: SessionPath,
    rooms: RoomsIn,
    range_: Annotated[str | None, Header(alias="Range", max_length=256)] = None,
    if_range: Annotated[str | None, Header(alias="If-Range", max_length=256)] = None,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match", max_length=1024)] = None,
) -> Response:
    """The proof bundle over everything that is anchored: what `lucid-verify` judges.

    An interrupted download goes on with `Range` and `If-Range`; chunks come first, so those of an earlier
    export are the beginning of this one. Of a running session it holds what the newest anchored record
    covers.
    """
    session = await rooms.sessions.get(session_id)
    bundle = await rooms.exporter.bundle(session)
    layout = bundle.layout
    headers = {
        "ETag": f'"{layout.etag}"',
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{session_id}.lucid"',
        "Cache-Control": "private, no-cache",
    }
    part = wanted(layout.size, layout.etag, range_, if_range, if_none_match)
    if isinstance(part, NotModified):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(part.stop - part.start)
    if part.partial:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{layout.size}"
    body = await _begun(bundle.stream(part.start, part.stop))
    return StreamingResponse(body, status_code=206 if part.partial else 200, media_type=ZIP, headers=headers)


@routes.get(
    "/receipt",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    dependencies=[READS],
)
async def receipt(session_id: SessionPath, rooms: RoomsIn) -> Response:
    """The receipt: the signed promise that the session's begin record will stand in the log. Exactly as it
    was given.
    """
    session = await rooms.sessions.get(session_id)
    records = await rooms.archive.records(session)
    if not records:
        raise ReceiptMissing(f"Session {session_id} has not begun", session=session_id)
    data = Receipt(records[0], rooms.log_key).bytes()
    return Response(data, media_type="application/json")


@routes.get(
    "/frame",
    response_class=Response,
    responses={200: _binary(PNG, "The frame, every pixel as recorded."), **GONE, **UPSTREAM},
    dependencies=[VIEWS],
)
async def frame(
    session_id: SessionPath,
    rooms: RoomsIn,
    at: At = "last",
    cursor: Annotated[bool, Query(description="draw the pointer")] = False,
) -> Response:
    """One frame of the recording as PNG: of what was on the screen at a moment, first, or last."""
    session = await rooms.sessions.get(session_id)
    picture = await rooms.replay.frame(session, at, cursor=cursor)
    headers = {
        "Lucid-Frame-At": str(picture.at_ms),
        "Lucid-Frame-Number": str(picture.number),
        "Cache-Control": "no-store",
    }
    return Response(picture.png, media_type=PNG, headers=headers)


@routes.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: _binary(WEBM, "The video: VP9, in the size of the first frame."), **GONE, **UPSTREAM},
    dependencies=[VIEWS],
)
async def video(
    session_id: SessionPath,
    rooms: RoomsIn,
    cursor: Annotated[bool, Query(description="draw the pointer")] = True,
) -> Response:
    """The recording as a video that browsers play, made while it is sent.

    For watching: it is lossy, and proves nothing; the evidence is the bundle. An answer that breaks off is
    not the whole video.
    """
    session = await rooms.sessions.get(session_id)
    body = await _begun(rooms.videos.stream(session, cursor=cursor))
    headers = {
        "Content-Disposition": f'attachment; filename="{session_id}.webm"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(body, media_type=WEBM, headers=headers)


async def _begun(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes, the first of them read already: what cannot be read is a problem, not a torn answer."""
    first = await anext(body, b"")

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for data in body:
            yield data

    return rest()
