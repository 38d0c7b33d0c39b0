"""What the routes work with, put together once by `app`."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from lucid.sessions.archive import Archive
from lucid.sessions.chunks import ChunkReader
from lucid.sessions.exporter import Exporter
from lucid.sessions.figures import Figures
from lucid.sessions.ledger import Ledger
from lucid.sessions.replay import Replay
from lucid.sessions.service import Sessions
from lucid.sessions.store import SessionStore
from lucid.sessions.uploader import Uploader
from lucid.sessions.video import Videos
from lucid_proof.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Rooms:
    """The service's parts."""

    sessions: Sessions
    store: SessionStore
    ledger: Ledger
    uploader: Uploader
    archive: Archive
    chunks: ChunkReader
    exporter: Exporter
    replay: Replay
    videos: Videos
    figures: Figures
    log_key: VerifierKey


def _rooms(request: Request) -> Rooms:
    return cast(Rooms, request.app.state.rooms)


RoomsIn = Annotated[Rooms, Depends(_rooms)]
