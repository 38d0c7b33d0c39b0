"""Composition root: settings → stores → service → routes; the only place that wires."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import FastAPI

from lucid.sessions import api, content_api
from lucid.sessions.anchorer import Anchorer
from lucid.sessions.archive import Archive
from lucid.sessions.backoff import Backoff
from lucid.sessions.chunks import ChunkReader
from lucid.sessions.clients import HttpChain, RdpDesktops
from lucid.sessions.errors import ChainNeverSeen, KeyUnusable
from lucid.sessions.evidence import Signer
from lucid.sessions.exporter import Exporter
from lucid.sessions.figures import Figures
from lucid.sessions.guard import Guard
from lucid.sessions.head import Head
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Record
from lucid.sessions.recovery import Recovery
from lucid.sessions.replay import Replay
from lucid.sessions.requests import Requests
from lucid.sessions.rooms import Rooms
from lucid.sessions.service import Sessions
from lucid.sessions.settings import Settings
from lucid.sessions.settling import Settler
from lucid.sessions.starting import Starter
from lucid.sessions.store import SessionStore
from lucid.sessions.uploader import Limits, Uploader
from lucid.sessions.vault import Vault
from lucid.sessions.video import Videos
from lucid.version import release
from lucid_kit.blobs import Blobs, open_blobs
from lucid_kit.clock import SystemClock
from lucid_kit.custody import KeyFile
from lucid_kit.documents import Documents, open_documents
from lucid_kit.files import DirectoryLock, make_dirs
from lucid_kit.http import Client, create_app
from lucid_kit.logs import get_logger
from lucid_kit.tokens import JwksVerifier
from lucid_proof.errors import LogUnreadable
from lucid_proof.trust import TrustPolicy

_TILE_S = 10.0
_AGAIN_S = 1.0


def build(settings: Settings) -> FastAPI:
    """The app. What it needs is opened when it starts to serve, and closed when it ends."""
    instance = Instance(settings)
    source = settings.jwks if settings.jwks.startswith(("http://", "https://")) else Path(settings.jwks)
    return create_app(
        "sessions",
        version=release(),
        routers=[api.routes, content_api.routes],
        verifier=JwksVerifier(source, issuer=settings.issuer, audience=settings.audience),
        ready={
            "documents": instance.documents_answer,
            "blobs": instance.blobs_answer,
            "chain": instance.chain_was_seen,
        },
        lifespan=instance.life,
    )


class Instance:
    """Everything that lives as long as the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._documents: Documents | None = None
        self._blobs: Blobs | None = None
        self._head: Head | None = None

    async def documents_answer(self) -> None:
        assert self._documents is not None
        await self._documents.ping()

    async def blobs_answer(self) -> None:
        assert self._blobs is not None
        await self._blobs.ping()

    async def chain_was_seen(self) -> None:
        if self._head is None or self._head.newest is None:
            raise ChainNeverSeen("No block was seen yet")

    @contextlib.asynccontextmanager
    async def life(self, app: FastAPI) -> AsyncIterator[None]:
        """Open everything, take up what a crash left, serve; at the end close sessions in order."""
        settings, clock = self._settings, SystemClock()
        async with contextlib.AsyncExitStack() as stack:
            make_dirs(settings.spool)
            stack.enter_context(DirectoryLock(settings.home, "the session service"))
            trust = TrustPolicy.load(settings.trust)
            signer = Signer(trust.origin, _private_key(settings.recorder_key))

            def token() -> str:
                # Read for each call: `lucid up` writes a new one before the old one expires.
                return settings.token_file.read_text("ascii").strip()

            documents = await open_documents(
                settings.documents_url or f"sqlite://{(settings.home / 'sessions.db').absolute()}"
            )
            stack.push_async_callback(documents.close)
            self._documents = documents
            keys_url = settings.keys_url or f"sqlite://{(settings.home / 'keys.db').absolute()}"
            keys = await open_documents(keys_url)
            stack.push_async_callback(keys.close)
            blobs = open_blobs(settings.blobs_url or f"file://{(settings.data / 'blobs').absolute()}")
            self._blobs = blobs
            custody = KeyFile(settings.kms_key)
            chain_client = await stack.enter_async_context(Client(settings.chain_url, token=token))
            rdp_client = await stack.enter_async_context(Client(settings.rdp_url, token=token))

            backoff = Backoff(settings.retry_first_s, settings.retry_last_s)
            chain, desktops = HttpChain(chain_client), RdpDesktops(rdp_client)
            store, ledger = SessionStore(documents, clock), Ledger(documents)
            vault, requests = Vault(keys, custody, keys_url), Requests(documents, custody)
            for part in (store, ledger, vault, requests):
                await part.ensure()
            archive = Archive(store, ledger, blobs, settings.spool)
            reader = ChunkReader(blobs, ledger, settings.spool)

            async def anchored(record: Record) -> None:
                figures.anchored(record)
                await archive.consider(record.session)

            async def stored(session: str) -> None:
                await archive.consider(session)

            head = self._head = Head(chain, store, trust.origin, clock, settings.head_poll_s)
            limits = Limits(settings.upload_workers, settings.upload_attempts, backoff)
            anchorer = Anchorer(chain, ledger, clock, backoff, anchored)
            uploader = Uploader(blobs, ledger, settings.spool, clock, limits, stored)
            stack.push_async_callback(uploader.close)
            figures = Figures(app.state.metrics, store, ledger, anchorer, uploader, head, clock)
            guard = Guard(settings.rdp_url, settings.token_file)
            stack.callback(guard.close)
            settler = Settler(
                store,
                ledger,
                head,
                signer,
                anchorer,
                uploader,
                desktops,
                guard,
                settings.spool,
                clock,
                backoff,
            )
            sessions = Sessions(
                store,
                vault,
                requests,
                Starter(settler, settings, clock, trust.log),
                settler,
                archive,
                clock,
            )
            fetch = stack.enter_context(_tiles(settings.chain_url))
            exporter = Exporter(chain, fetch, archive, ledger, reader, trust)
            replay = Replay(vault, ledger, reader)
            app.state.rooms = Rooms(
                sessions, store, ledger, uploader, archive, reader, exporter, replay, Videos(replay), figures,
                trust.log,
            )  # fmt: skip
            head.listen(anchorer.block)
            head.listen(sessions.block)
            await head.load()
            recovery = Recovery(settler, archive, requests, vault)
            interrupted = await recovery.interrupted()
            await anchorer.load()
            await recovery.run()
            works = [head.run, anchorer.run, figures.run, lambda: recovery.settle_all(interrupted)]
            stack.push_async_callback(_cancel, [asyncio.create_task(_kept_going(work)) for work in works])
            stack.push_async_callback(sessions.close)
            yield


async def _kept_going(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run background work until it is done; what fails is logged and begun anew."""
    while True:
        try:
            await work()
            return
        except Exception:  # noqa: BLE001 - a database that is away for a moment must not end live sessions
            get_logger().exception("service.fault")
            await asyncio.sleep(_AGAIN_S)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _private_key(path: Path) -> Ed25519PrivateKey:
    """Raises KeyUnusable."""
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable(f"{path} can be read by others; its mode must be 0600", path=path)
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(f"{path} is not a private key in PEM: {error}", path=path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path} holds another kind of key than Ed25519", path=path)
    return key


@contextlib.contextmanager
def _tiles(chain_url: str) -> Any:
    """Fetches the log's tiles. Its own client, since proofs are made off the event loop."""
    with httpx.Client(base_url=chain_url, timeout=_TILE_S, trust_env=False) as client:

        def fetch(path: str) -> bytes:
            try:
                answer = client.get(f"/tlog/{path}")
            except httpx.HTTPError as error:
                raise LogUnreadable(f"the chain does not answer: {error}", path) from error
            if answer.status_code == 404:
                raise KeyError(path)
            if answer.status_code != 200:
                raise LogUnreadable(f"the chain answers {answer.status_code}", path)
            return answer.content

        yield fetch
