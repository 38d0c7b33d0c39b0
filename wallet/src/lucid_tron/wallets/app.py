"""Composition root of the wallets service: the only process that opens keys."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from lucid_kit.clock import SystemClock
from lucid_kit.custody import KeyCustody, KeyFile
from lucid_kit.http import Client, create_app
from lucid_tron.plane import VERSION, PlaneUnusable, open_store, secret_in, verifier
from lucid_tron.wallets import api
from lucid_tron.wallets.deposits import Deposits
from lucid_tron.wallets.keystore import Keystore
from lucid_tron.wallets.remote import token_from
from lucid_tron.wallets.service import Wallets
from lucid_tron.wallets.settings import WalletsSettings


def build(settings: WalletsSettings) -> FastAPI:
    """The app. Its memory is shut before the first key is read."""

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            documents = await stack.enter_async_context(open_store(settings, "wallets"))
            wallets = Wallets(documents, custody(settings), SystemClock())
            await wallets.prepare()
            await documents.ensure(*Deposits.collections)
            app.state.wallets, app.state.deposits = wallets, Deposits(documents, wallets)
            app.state.books = {
                asset: await stack.enter_async_context(_peer(settings, url)) if url else None
                for asset, url in (("TRX", settings.client_url), ("USDT", settings.usdt_url))
            }
            yield

    return create_app(
        "wallets", version=VERSION, routers=[api.routes], verifier=verifier(settings), lifespan=life
    )


def custody(settings: WalletsSettings) -> KeyCustody:
    """What wraps secrets: the keystore behind a passphrase, or a key file.

    Raises
    ------
    PlaneUnusable
        If others can read the passphrase's file, or a key file was used here before.
    WrongPassphrase, KeystoreDamaged, KeystoreExposed
        If the keystore does not open.
    """
    keystore, key_file = settings.data / "keystore.json", settings.data / "wallets.key"
    if settings.passphrase_file is None:
        if keystore.exists():
            raise PlaneUnusable(f"passphrase_file: {keystore} needs its passphrase")
        return KeyFile(key_file)
    if key_file.exists():
        raise PlaneUnusable(
            f"passphrase_file: secrets here are wrapped by {key_file}; move the wallets first"
        )
    passphrase = secret_in(settings.passphrase_file, "passphrase_file")
    return Keystore.open(keystore, passphrase) if keystore.exists() else Keystore.create(keystore, passphrase)


def _peer(settings: WalletsSettings, url: str) -> Client:
    return Client(url, token=token_from(settings.token_file) if settings.token_file else None, timeout_s=30)
