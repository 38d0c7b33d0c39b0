"""What every service of the wallet plane stands on: its settings, its own database, its nodes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from fastapi import FastAPI
from pydantic import Field

from lucid_kit.clock import Clock, SystemClock
from lucid_kit.documents import Documents, open_documents
from lucid_kit.errors import LucidError, SystemFault
from lucid_kit.files import DirectoryLock, make_dirs
from lucid_kit.logs import get_logger
from lucid_kit.service import serve_main
from lucid_kit.settings import Settings
from lucid_kit.tokens import JwksVerifier
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import PROFILES
from lucid_tron.codec.address import Address
from lucid_tron.sending.orders import OrderBook
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.hardening import protect_process
from lucid_tron.wallets.remote import RemoteWallets

VERSION = version("lucid-tron")


class PlaneUnusable(SystemFault):
    """The service cannot start with what it was given."""

    code = "LUCID_ERR_5781"
    advice = "Correct the setting that `detail` names and start again."


class ServiceSettings(Settings):
    """Settings that every service of the plane has. Files with secrets must have mode 0600."""

    data: Path = Field(description="Directory of this service alone.")
    documents_url: str = Field(
        default="", description="mongodb://USER@… of this service's own user; empty: a database in data."
    )
    documents_url_file: Path | None = Field(
        default=None, description="File, mode 0600, with that address, for it has a password in it."
    )
    jwks: str = Field(description="File or URL of the keys that tokens are checked with.")
    issuer: str = Field(default="lucid", description="Who must have issued a token.")
    audience: str = Field(default="lucid", description="Whom a token must be for.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")
    tick_s: float = Field(default=3.0, gt=0, description="Seconds between two rounds of work.")
    log_level: str = Field(default="info", description="debug, info, warning or error.")


class NetworkSettings(ServiceSettings):
    """Settings of a service that speaks to TRON nodes."""

    network: Literal["mainnet", "nile", "shasta", "devnet"] = Field(
        default="devnet", description="Which TRON network."
    )
    nodes: tuple[str, ...] = Field(default=(), description="Base URLs of nodes; empty: the network's own.")
    usdt: str = Field(default="", description="Address of the token; empty: the network's own.")
    quorum: int = Field(default=0, ge=0, le=16, description="Nodes that must agree; 0: 2, on a devnet 1.")
    api_key_file: Path | None = Field(default=None, description="File with the API key of the nodes.")


def connect(settings: NetworkSettings) -> tuple[TronClient, UsdtManager]:
    """A client of the network's nodes, and its token.

    Raises
    ------
    PlaneUnusable
        If the network's nodes or token are not known.
    """
    profile = PROFILES[settings.network]
    try:
        token = Address.parse(settings.usdt) if settings.usdt else profile.usdt
    except LucidError as error:
        raise PlaneUnusable(f"usdt: {error.detail}") from error
    if token is None:
        raise PlaneUnusable("usdt: a devnet's token has another address each time; give it")
    profile = profile.at(
        *(settings.nodes or profile.nodes), usdt=token, quorum=settings.quorum or profile.quorum
    )
    api_key = settings.api_key_file.read_text("ascii").strip() if settings.api_key_file else None
    client = TronClient.open(profile, api_key=api_key)
    return client, UsdtManager(client, token)


@contextlib.asynccontextmanager
async def open_store(settings: ServiceSettings, name: str) -> AsyncIterator[Documents]:
    """The service's own database: `documents_url`, or `<data>/<name>.db`; the process shuts its memory.

    Raises
    ------
    AlreadyRunning
        If another process uses the directory.
    PlaneUnusable
        If others can read the file with the database's address.
    """
    protect_process()
    make_dirs(settings.data)
    with DirectoryLock(settings.data, f"the {name} service"):
        own = f"sqlite://{(settings.data / f'{name}.db').absolute()}"
        file = settings.documents_url_file
        named = secret_in(file, "documents_url_file") if file else settings.documents_url
        documents = await open_documents(named or own)
        try:
            yield documents
        finally:
            await documents.close()


def secret_in(file: Path, setting: str) -> str:
    """The text of a file that only its owner can read.

    Raises
    ------
    PlaneUnusable
        If others can read it.
    """
    if file.stat().st_mode & 0o077:
        raise PlaneUnusable(f"{setting}: others can read {file}; run chmod 600")
    return file.read_text("utf-8").strip()


@dataclass(frozen=True, slots=True)
class Sender:
    """What is open in a service that sends and holds no keys: its orders, and who signs them."""

    book: OrderBook
    wallets: RemoteWallets
    clock: Clock


@contextlib.asynccontextmanager
async def open_sender(
    settings: ServiceSettings, name: str, wallets_url: str, token_file: Path
) -> AsyncIterator[Sender]:
    """The service's database of orders, and the wallets service.

    Raises
    ------
    AlreadyRunning
        If another process uses the directory.
    """
    async with open_store(settings, name) as documents:
        await documents.ensure(*OrderBook.collections)
        wallets = RemoteWallets.at(wallets_url, token_file)
        try:
            clock = SystemClock()
            yield Sender(OrderBook(documents, clock), wallets, clock)
        finally:
            await wallets.close()


def verifier(settings: ServiceSettings) -> JwksVerifier:
    """What checks the tokens of requests: of this plane's issuer, for this plane's audience."""
    remote = settings.jwks.startswith(("http://", "https://"))
    return JwksVerifier(
        settings.jwks if remote else Path(settings.jwks), issuer=settings.issuer, audience=settings.audience
    )


class Timed(Protocol):
    """What has a clock to wait by."""

    @property
    def clock(self) -> Clock: ...


async def keep_doing(work: Callable[[], Awaitable[object]], every_s: float, clock: Clock, what: str) -> None:
    """Do a round of work again and again. What goes wrong is logged and tried again in the next round."""
    while True:
        try:
            await work()
        except LucidError as error:
            get_logger().warning(f"{what}.waits", code=error.code, detail=error.detail)
        except Exception as error:  # noqa: BLE001 - a defect in one round must not end all others, nor go unseen
            get_logger().error(f"{what}.failed", error=str(error), exc_info=True)
        await clock.sleep(every_s)


@contextlib.asynccontextmanager
async def running(
    works: Mapping[str, Callable[[], Awaitable[object]]], timed: Timed, tick_s: float
) -> AsyncIterator[None]:
    """Keep doing all works while inside."""
    tasks = [
        asyncio.create_task(keep_doing(work, tick_s, timed.clock, what), name=what)
        for what, work in works.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


S = TypeVar("S", bound=ServiceSettings)


def run(name: str, settings_type: type[S], build: Callable[[S], FastAPI]) -> int:
    """Serve until SIGTERM; one line of JSON when ready. Exit status 0, or 1 with what to do on stderr."""
    return serve_main(f"lucid_tron.{name}", settings_type, build)
