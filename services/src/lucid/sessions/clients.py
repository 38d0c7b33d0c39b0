"""The other clusters over HTTP: lucid.rdp and lucid_blocks. Their answers are checked before they are
believed.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from lucid.sessions.ports import PAGE, Block, Desktop, DesktopStatus, Placement
from lucid_kit.http import Client, RemoteProblem
from lucid_proof.records import Header

_GRACE_S = 10.0  # what a long poll may take beyond the wait that was asked for


class RdpDesktops:
    """The port `Desktops` over lucid.rdp's API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, session: str, width: int, height: int) -> Desktop:
        asked = {"session": session, "width": width, "height": height, "gated": True}
        made = (
            await self._client.post("/rdp/servers", json=asked, idempotency_key=session, timeout_s=30.0)
        ).json()
        return Desktop(
            id=made["id"],
            session=made["session"],
            host=made["host"],
            port=made["port"],
            username=made["username"],
            password=made["password"],
        )

    async def status(self, id: str, after: int, wait_ms: int) -> DesktopStatus | None:  # noqa: A002
        try:
            answer = await self._client.get(
                f"/rdp/servers/{quote(id, safe='')}/status",
                params={"after": after, "wait_ms": wait_ms},
                timeout_s=wait_ms / 1000 + _GRACE_S,
            )
        except RemoteProblem as problem:
            if problem.remote_status == 404:
                return None
            raise
        return _status(answer.json())

    async def admit(self, id: str) -> None:  # noqa: A002
        await self._client.post(f"/rdp/servers/{quote(id, safe='')}/admit")

    async def dismiss(self, session: str) -> None:
        await self._client.post(f"/rdp/sessions/{quote(session, safe='')}/disconnect")

    async def remove(self, id: str) -> None:  # noqa: A002
        try:
            await self._client.delete(f"/rdp/servers/{quote(id, safe='')}", timeout_s=30.0)
        except RemoteProblem as problem:
            if problem.remote_status != 404:
                raise

    async def all(self) -> Sequence[DesktopStatus]:
        listed = (await self._client.get("/rdp/servers")).json()
        rows = listed if isinstance(listed, list) else listed.get("items", listed.get("servers", []))
        return [_status(row) for row in rows]


def _status(document: dict[str, Any]) -> DesktopStatus:
    return DesktopStatus(
        id=document["id"],
        session=document["session"],
        revision=document.get("revision", 0),
        state=document["state"],
        reason=document.get("reason") or "",
        display=document.get("display"),
        admitted=bool(document.get("admitted")),
        client_connected=bool(document.get("client_connected")),
        pids=tuple(document.get("pids") or ()),
    )


class HttpChain:
    """The port `Chain` over the chain's API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def latest(self) -> Block:
        return _block((await self._client.get("/blocks/latest", timeout_s=5.0)).json())

    async def block(self, height: int) -> Block:
        return _block((await self._client.get(f"/blocks/height/{height}")).json())

    async def blocks(self, first: int) -> Sequence[Block]:
        page = (await self._client.get("/blocks", params={"before": first + PAGE, "limit": PAGE})).json()
        found = [_block(each) for each in page["blocks"]]
        return [block for block in reversed(found) if block.header.height >= first]

    async def submit(self, tx: str, data: bytes) -> Placement:
        answer = await self._client.post(
            "/transactions", content=data, headers={"Content-Type": "application/json"}, idempotency_key=tx
        )
        return _placement(answer.json())

    async def placement(self, tx: str) -> Placement | None:
        try:
            return _placement((await self._client.get(f"/transactions/{tx}")).json())
        except RemoteProblem as problem:
            if problem.remote_status == 404:
                return None
            raise


def _block(document: dict[str, Any]) -> Block:
    return Block(Header.from_json(document["header"]), document["checkpoint"].encode("utf-8"))


def _placement(document: dict[str, Any]) -> Placement:
    anchored = document["state"] == "anchored"
    return Placement(
        tx=document["id"],
        anchored=anchored,
        height=document.get("height") if anchored else None,
        index=document.get("index") if anchored else None,
    )
