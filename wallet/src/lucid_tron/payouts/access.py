"""What the routes of payouts share: who may ask, and whom they ask."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from lucid_kit.http import needs
from lucid_kit.tokens import Principal
from lucid_tron.payouts.desk import PayoutDesk

MAX = (1 << 53) - 1
Reader = Annotated[Principal, needs("tron:read")]
Writer = Annotated[Principal, needs("tron:write")]
Approver = Annotated[Principal, needs("tron:approve")]
Admin = Annotated[Principal, needs("tron:admin")]


class Body(BaseModel):
    """What is sent: a member that is not known is an error."""

    model_config = ConfigDict(extra="forbid")


class Why(Body):
    """A person's reason, which goes into the ledger with their name."""

    why: str = Field(min_length=3, max_length=500)


def signed_file(what: str, where: str = "docs/specs/settlement.md") -> dict[str, Any]:
    """The body of a request that is a signed file: its bytes count, so it is not parsed on the way."""
    schema = {"type": "object", "description": f"{what} ({where}), byte for byte."}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _desk(request: Request) -> PayoutDesk:
    desk: PayoutDesk = request.app.state.desk
    return desk


Desk = Annotated[PayoutDesk, Depends(_desk)]
