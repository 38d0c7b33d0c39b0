"""HTTP routes of auth: the key set, and what the caller's own token says."""

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from lucid_kit.clock import rfc3339
from lucid_kit.http import needs
from lucid_kit.tokens import Principal


class TokenStatus(BaseModel):
    """What the token of this very request says."""

    subject: str
    scopes: list[str]
    expires_at: str


def routes(jwks: Path) -> APIRouter:
    """The router; `jwks` is read at each request, so a rotated key is seen at once."""
    router = APIRouter(prefix="/auth", tags=["auth"])

    @router.get(
        "/.well-known/jwks.json", summary="Public keys that access tokens are checked with (RFC 7517)"
    )
    def get_jwks() -> dict[str, Any]:
        document: dict[str, Any] = json.loads(jwks.read_bytes())
        return document

    @router.get("/status", summary="Who the caller is and until when")
    def get_status(who: Principal = needs()) -> TokenStatus:
        return TokenStatus(subject=who.subject, scopes=sorted(who.scopes), expires_at=rfc3339(who.expires_ms))

    return router
