"""Access tokens: JWTs (RFC 7519) signed with Ed25519 (`EdDSA`, RFC 8037), checked against a JWKS (RFC 7517).

One algorithm, no negotiation: a token that names another, `none` included, is refused before any key is
looked at.
"""

import asyncio
import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lucid_kit.clock import Clock, SystemClock
from lucid_kit.errors import Unauthenticated, Unavailable
from lucid_kit.ids import new_id
from lucid_kit.logs import get_logger

_ALGORITHM = "EdDSA"
_LEEWAY_MS = 5_000  # clocks of two machines that both follow NTP
_REFETCH_MS = 10_000  # unknown key ids cannot make us fetch more often than this
_FRESH_MS = 300_000  # a key that was withdrawn is trusted for five minutes more at most …
_STALE_MS = 3_600_000  # … or for an hour while the issuer does not answer
_MAX_TOKEN = 8_192
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 § 3.3


class KeysUnavailable(Unavailable):
    """The keys that tokens are checked with cannot be read."""

    code = "LUCID_ERR_5004"
    advice = "Start the service that issues tokens, or correct the address of its JWKS."


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request, as a verified token says."""

    subject: str
    scopes: frozenset[str]
    token_id: str
    expires_ms: int

    def may(self, scope: str) -> bool:
        """Whether the token grants `scope`; the scope `*` grants all."""
        return scope in self.scopes or "*" in self.scopes


def mint(
    private_key: Ed25519PrivateKey,
    subject: str,
    scopes: Iterable[str],
    ttl_s: int,
    issuer: str,
    audience: str,
    clock: Clock,
    backdate_s: int = 0,
) -> str:
    """A signed token that is valid for `ttl_s` seconds from now, and was since `backdate_s` seconds ago.

    Raises
    ------
    ValueError
        If a scope has characters that RFC 6749 does not allow, or the time to live is not positive.
    """
    granted = sorted(set(scopes))
    if wrong := [scope for scope in granted if not _SCOPE.fullmatch(scope)]:
        raise ValueError(f"not a scope: {wrong[0]!r}")
    if ttl_s <= 0:
        raise ValueError("a token must live for a positive number of seconds")
    now_s = clock.now_ms() // 1000
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "scope": " ".join(granted),
        "jti": new_id("tok"),
        "iat": now_s,
        "nbf": now_s - backdate_s,
        "exp": now_s + ttl_s,
    }
    return jwt.encode(
        claims, private_key, algorithm=_ALGORITHM, headers={"kid": key_id(private_key.public_key())}
    )


def key_id(key: Ed25519PublicKey) -> str:
    """The key's JWK thumbprint (RFC 7638, RFC 8037 appendix A.3)."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(key.public_bytes_raw())}
    return _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def jwks(public_keys: Iterable[Ed25519PublicKey]) -> dict[str, Any]:
    """The JSON Web Key Set that verifiers read."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": _ALGORITHM,
                "use": "sig",
                "kid": key_id(key),
                "x": _base64url(key.public_bytes_raw()),
            }
            for key in public_keys
        ]
    }


class JwksVerifier:
    """Checks tokens against the keys at `source`: a file, or an http(s) address.

    Keys are kept for five minutes, and for an hour while the source does not answer. A token with an
    unknown key makes it read them anew, at most every ten seconds, so that strangers' tokens cost the
    issuer nothing.

    Parameters
    ----------
    issuer, audience
        What `iss` and `aud` must say.
    transport
        For tests and Unix sockets: how httpx reaches the source.
    """

    def __init__(
        self,
        source: Path | str,
        *,
        issuer: str,
        audience: str,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._source = source
        self._issuer = issuer
        self._audience = audience
        self._clock = clock or SystemClock()
        self._transport = transport
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._read_ms: int | None = None
        self._tried_ms: int | None = None
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Principal:
        """Who the token speaks for.

        Raises
        ------
        Unauthenticated
            If it is not a token, not signed by a known key, expired, not yet valid, or for someone else.
        KeysUnavailable
            If the keys could not be read.
        """
        header, claims, signed, signature = _split(token)
        if header.get("alg") != _ALGORITHM:
            raise Unauthenticated("The token is not signed with EdDSA")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise Unauthenticated("The token does not name its key")
        if "crit" in header:
            raise Unauthenticated("The token demands extensions that are not understood")
        key = await self._key(kid)
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            raise Unauthenticated("The token's signature is wrong") from None
        return self._principal(claims)

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        now_ms = self._clock.now_ms()
        expires, begins = _time(claims, "exp"), _time(claims, "nbf", 0)
        if expires is None or begins is None:
            raise Unauthenticated("The token does not say until when it is valid")
        if now_ms >= expires * 1000 + _LEEWAY_MS:
            raise Unauthenticated("The token has expired")
        if now_ms < begins * 1000 - _LEEWAY_MS:
            raise Unauthenticated("The token is not valid yet")
        if claims.get("iss") != self._issuer:
            raise Unauthenticated("The token is from another issuer")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("The token is for another audience")
        subject, token_id, scope = claims.get("sub"), claims.get("jti"), claims.get("scope", "")
        if (
            not isinstance(subject, str)
            or not subject
            or not isinstance(token_id, str)
            or not isinstance(scope, str)
        ):
            raise Unauthenticated("The token does not say whose it is")
        return Principal(subject, frozenset(scope.split()), token_id, int(expires * 1000))

    async def _key(self, kid: str) -> Ed25519PublicKey:
        if kid in self._keys and not self._older_than(self._read_ms, _FRESH_MS):
            return self._keys[kid]
        async with self._lock:
            if (kid not in self._keys or self._older_than(self._read_ms, _FRESH_MS)) and self._older_than(
                self._tried_ms, _REFETCH_MS
            ):
                await self._refresh()
        if self._read_ms is None or self._older_than(self._read_ms, _STALE_MS):
            raise KeysUnavailable(
                "The keys that tokens are checked with could not be read", source=self._source
            )
        if kid not in self._keys:
            raise Unauthenticated("The token is signed by a key that is not known here")
        return self._keys[kid]

    async def _refresh(self) -> None:
        self._tried_ms = self._clock.monotonic_ms()
        try:
            self._keys = _public_keys(await self._read())
        except (OSError, ValueError, TypeError, AttributeError, httpx.HTTPError) as error:
            get_logger().warning("jwks.unreadable", source=str(self._source), error=str(error))
            return
        self._read_ms = self._clock.monotonic_ms()

    async def _read(self) -> Any:
        if isinstance(self._source, Path):
            return json.loads(await asyncio.to_thread(self._source.read_bytes))
        async with httpx.AsyncClient(timeout=5.0, transport=self._transport, trust_env=False) as client:
            answer = await client.get(self._source)
            answer.raise_for_status()
            return answer.json()

    def _older_than(self, moment_ms: int | None, age_ms: int) -> bool:
        return moment_ms is None or self._clock.monotonic_ms() - moment_ms >= age_ms


def _public_keys(document: Any) -> dict[str, Ed25519PublicKey]:
    keys = {}
    for entry in document["keys"] if isinstance(document, dict) and "keys" in document else ():
        if entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519" and entry.get("use", "sig") == "sig":
            key = Ed25519PublicKey.from_public_bytes(_from_base64url(entry["x"]))
            keys[str(entry.get("kid") or key_id(key))] = key
    if not keys:
        raise ValueError("no Ed25519 key in the JWKS")
    return keys


def _split(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    parts = token.split(".")
    if len(token) > _MAX_TOKEN or len(parts) != 3:
        raise Unauthenticated("That is not a token")
    try:
        header, claims = (json.loads(_from_base64url(part)) for part in parts[:2])
        signature = _from_base64url(parts[2])
        signed = f"{parts[0]}.{parts[1]}".encode("ascii")
    except (ValueError, RecursionError):
        raise Unauthenticated("That is not a token") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Unauthenticated("That is not a token")
    return header, claims, signed, signature


def _time(claims: Mapping[str, Any], name: str, default: int | None = None) -> float | None:
    value = claims.get(name, default)
    is_time = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
    return value if is_time else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_base64url(text: str) -> bytes:
    """Strictly: no padding, no other alphabet, no stray bits — one text for one value."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64url") from error
    if _base64url(data) != text:
        raise ValueError("not canonical base64url")
    return data
