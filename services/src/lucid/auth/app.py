"""Composition root of auth."""

from fastapi import FastAPI

from lucid.auth import issuer
from lucid.auth.api import routes
from lucid.auth.settings import AuthSettings
from lucid_kit.http import create_app
from lucid_kit.tokens import JwksVerifier


def build(settings: AuthSettings, version: str) -> FastAPI:
    """The auth service over the key set that `settings` names."""

    async def key_set_is_there() -> None:
        settings.jwks.read_bytes()

    return create_app(
        "auth",
        version=version,
        routers=[routes(settings.jwks)],
        verifier=JwksVerifier(settings.jwks, issuer=issuer.ISSUER, audience=issuer.AUDIENCE),
        ready={"jwks": key_set_is_there},
    )
