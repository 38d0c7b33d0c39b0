"""A small app with every kind of route, as the rooms above write them: what the tests attack."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from lucid_kit.errors import DomainError, LimitExceeded, NotFound
from lucid_kit.http import create_app, id_path, needs
from lucid_kit.ids import new_id
from lucid_kit.tokens import JwksVerifier, Principal

ISSUER, AUDIENCE = "https://lucid.test", "lucid"


class NoteLocked(DomainError):
    """The note is locked."""

    code = "LUCID_ERR_4990"
    advice = "Unlock it first."


class NoteIn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(max_length=200)
    stars: int = Field(default=0, ge=0, le=5)
    extra: dict[str, Any] = Field(default_factory=dict)


class Note(NoteIn):
    id: str
    owner: str


NoteId = Annotated[str, id_path("note")]


def notes() -> APIRouter:
    routes = APIRouter(prefix="/notes", tags=["notes"])
    kept: dict[str, Note] = {}

    @routes.get("")
    async def list_notes(
        limit: Annotated[int, Query(ge=1, le=100)] = 20, who: Principal = needs("notes:read")
    ) -> list[Note]:
        return list(kept.values())[:limit]

    @routes.post("", status_code=201)
    async def add_note(body: NoteIn, response: Response, who: Principal = needs("notes:write")) -> Note:
        if len(kept) > 500:
            kept.clear()
        note = Note(id=new_id("note"), owner=who.subject, **body.model_dump())
        kept[note.id] = note
        return note

    @routes.get("/{note_id}")
    async def show_note(note_id: NoteId, who: Principal = needs("notes:read")) -> Note:
        if note_id not in kept:
            raise NotFound(f"There is no note {note_id}", id=note_id)
        return kept[note_id]

    @routes.delete("/{note_id}", status_code=204)
    async def drop_note(note_id: NoteId, who: Principal = needs("notes:read", "notes:write")) -> None:
        if kept.pop(note_id, None) is None:
            raise NotFound(f"There is no note {note_id}", id=note_id)

    return routes


def breakages() -> APIRouter:
    """Routes that fail on purpose; not in the OpenAPI document."""
    routes = APIRouter(prefix="/break", include_in_schema=False)

    @routes.get("/unexpected")
    async def unexpected() -> None:
        raise RuntimeError("the password is hunter2")

    @routes.get("/locked")
    async def locked() -> None:
        raise NoteLocked("The note is locked by \ud800 someone", since_ms=5)

    @routes.get("/limited")
    async def limited() -> None:
        raise LimitExceeded("Too many notes", retry_after_s=7)

    @routes.put("/large", max_body_size=64)
    async def large(body: NoteIn) -> None:
        return None

    return routes


def build(verifier: JwksVerifier | None, **options: Any) -> FastAPI:
    return create_app(
        "example", version="1.2.3", routers=[notes(), breakages()], verifier=verifier, **options
    )
