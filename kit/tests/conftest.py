import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_kit import logs, tokens
from lucid_kit.clock import ManualClock, SystemClock
from lucid_kit.files import write_atomic

from .example_app import AUDIENCE, ISSUER


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    before = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = before
    logs._until_configured()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def jwks_file(tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    path = tmp_path / "jwks.json"
    write_atomic(path, json.dumps(tokens.jwks([key.public_key()])).encode())
    return path


@pytest.fixture
def verifier(jwks_file: Path) -> tokens.JwksVerifier:
    return tokens.JwksVerifier(jwks_file, issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def token(key: Ed25519PrivateKey) -> Callable[..., str]:
    def make(*scopes: str) -> str:
        return tokens.mint(key, "usr_1", scopes or ["*"], 900, ISSUER, AUDIENCE, SystemClock())

    return make
