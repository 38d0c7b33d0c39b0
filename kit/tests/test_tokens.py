import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lucid_kit import tokens
from lucid_kit.clock import ManualClock, SystemClock
from lucid_kit.errors import Unauthenticated
from lucid_kit.tokens import JwksVerifier, KeysUnavailable, jwks, key_id, mint

from .example_app import AUDIENCE, ISSUER


@pytest.fixture
def check(jwks_file: Path, clock: ManualClock) -> JwksVerifier:
    return JwksVerifier(jwks_file, issuer=ISSUER, audience=AUDIENCE, clock=clock)


def forged(
    key: Ed25519PrivateKey, clock: ManualClock, header: dict[str, Any] | None = None, **claims: Any
) -> str:
    """A token with a right signature, and the claims changed; None takes one out."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "u",
        "jti": "t",
        "scope": "a",
        "exp": clock.now_ms() // 1000 + 60,
    }
    kept = {name: value for name, value in (good | claims).items() if value is not None}
    return jwt.api_jws.PyJWS().encode(
        json.dumps(kept).encode(),
        key,
        algorithm="EdDSA",
        headers={"kid": key_id(key.public_key())} | (header or {}),
    )


async def test_a_minted_token_says_who_and_what(
    check: JwksVerifier, key: Ed25519PrivateKey, clock: ManualClock
) -> None:
    who = await check.verify(mint(key, "usr_1", ["b", "a", "a"], 900, ISSUER, AUDIENCE, clock))
    assert (who.subject, who.scopes, who.expires_ms) == ("usr_1", {"a", "b"}, clock.now_ms() + 900_000)
    assert who.token_id.startswith("tok_")
    assert (who.may("a"), who.may("c")) == (True, False)


async def test_another_library_accepts_our_tokens(key: Ed25519PrivateKey) -> None:
    token = mint(key, "usr_1", ["a"], 900, ISSUER, AUDIENCE, SystemClock())
    found = jwt.PyJWKSet.from_dict(jwks([key.public_key()]))[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, found, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)["sub"] == "usr_1"


def test_the_key_id_is_the_thumbprint_of_rfc_8037() -> None:
    # RFC 8037, appendix A.1 to A.3
    private = Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert key_id(private.public_key()) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


async def test_a_token_ends_when_it_says_with_five_seconds_for_other_clocks(
    check: JwksVerifier, key: Ed25519PrivateKey, clock: ManualClock
) -> None:
    token = mint(key, "u", [], 60, ISSUER, AUDIENCE, clock)
    clock.advance(64_000)
    await check.verify(token)
    clock.advance(1_000)
    with pytest.raises(Unauthenticated, match="expired"):
        await check.verify(token)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://other"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "another audience"),
        ({"aud": ["x", "y"]}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"exp": None}, "until when"),
        ({"exp": "9999999999"}, "until when"),
        ({"exp": True}, "until when"),
        ({"exp": 1e308}, "until when"),
        ({"nbf": 99_999_999_999}, "not valid yet"),
        ({"sub": ""}, "whose"),
        ({"sub": 5}, "whose"),
        ({"jti": None}, "whose"),
        ({"scope": ["a"]}, "whose"),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(
    check: JwksVerifier, key: Ed25519PrivateKey, clock: ManualClock, claims: dict[str, Any], why: str
) -> None:
    await check.verify(forged(key, clock, aud=["x", AUDIENCE]))
    with pytest.raises(Unauthenticated, match=why):
        await check.verify(forged(key, clock, **claims))


async def test_no_other_algorithm_is_accepted(
    check: JwksVerifier, key: Ed25519PrivateKey, clock: ManualClock
) -> None:
    kid = key_id(key.public_key())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u", "jti": "t", "exp": clock.now_ms() // 1000 + 60}
    public = key.public_key().public_bytes_raw() + b"as a shared secret"
    for token in (
        jwt.encode(claims, None, algorithm="none", headers={"kid": kid}),
        jwt.encode(claims, public, algorithm="HS256", headers={"kid": kid}),
    ):
        with pytest.raises(Unauthenticated, match="EdDSA"):
            await check.verify(token)


async def test_the_header_must_name_a_known_key_and_demand_nothing(
    check: JwksVerifier, key: Ed25519PrivateKey, clock: ManualClock
) -> None:
    for header, why in (
        ({"kid": None}, "name its key"),
        ({"kid": "x"}, "not known"),
        ({"crit": ["b64"]}, "extensions"),
    ):
        token = forged(key, clock)
        head = {"alg": "EdDSA", "kid": key_id(key.public_key())} | header
        with pytest.raises(Unauthenticated, match=why):
            await check.verify(
                ".".join([tokens._base64url(json.dumps(head).encode()), *token.split(".")[1:]])
            )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
async def test_a_token_with_any_one_character_changed_is_refused(
    check: JwksVerifier, key: Ed25519PrivateKey, clock: ManualClock, data: st.DataObject
) -> None:
    token = mint(key, "u", ["a"], 60, ISSUER, AUDIENCE, clock)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters())
    assume(letter != token[at])
    with pytest.raises(Unauthenticated):
        await check.verify(token[:at] + letter + token[at + 1 :])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text()
    | st.builds(lambda a, b: f"{a}.{b}.", st.text(), st.text())
    | st.just("[" * 9000)
    | st.just("W10.W10.W10")
)
async def test_what_is_no_token_is_refused(check: JwksVerifier, text: str) -> None:
    with pytest.raises(Unauthenticated):
        await check.verify(text)


@pytest.mark.parametrize(("scopes", "ttl"), [(["a b"], 60), ([""], 60), (["a"], 0)])
def test_a_token_that_could_not_be_read_is_not_minted(
    key: Ed25519PrivateKey, clock: ManualClock, scopes: list[str], ttl: int
) -> None:
    with pytest.raises(ValueError, match=r"scope|seconds"):
        mint(key, "u", scopes, ttl, ISSUER, AUDIENCE, clock)


class Issuer:
    """A JWKS address that counts how often it is asked."""

    def __init__(self, *keys: Ed25519PrivateKey) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.down = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.down:
            return httpx.Response(503)
        return httpx.Response(200, json=jwks([key.public_key() for key in self.keys]))

    def verifier(self, clock: ManualClock) -> JwksVerifier:
        return JwksVerifier(
            "http://auth/jwks",
            issuer=ISSUER,
            audience=AUDIENCE,
            clock=clock,
            transport=httpx.MockTransport(self),
        )


@pytest.fixture
def minted(clock: ManualClock) -> Callable[[Ed25519PrivateKey], str]:
    return lambda key: mint(key, "u", [], 90_000, ISSUER, AUDIENCE, clock)


async def test_keys_are_fetched_once_and_a_new_key_is_found(
    key: Ed25519PrivateKey, clock: ManualClock, minted: Callable[[Ed25519PrivateKey], str]
) -> None:
    issuer, new = Issuer(key), Ed25519PrivateKey.generate()
    check = issuer.verifier(clock)
    for _ in range(5):
        await check.verify(minted(key))
    assert issuer.asked == 1
    issuer.keys.append(new)
    clock.advance(10_000)
    await check.verify(minted(new))
    assert issuer.asked == 2


async def test_strangers_tokens_make_us_fetch_at_most_every_ten_seconds(
    key: Ed25519PrivateKey, clock: ManualClock, minted: Callable[[Ed25519PrivateKey], str]
) -> None:
    issuer = Issuer(key)
    check = issuer.verifier(clock)
    for _ in range(50):
        with pytest.raises(Unauthenticated, match="not known"):
            await check.verify(minted(Ed25519PrivateKey.generate()))
        clock.advance(1_000)
    assert issuer.asked == 5


async def test_a_withdrawn_key_ends_within_five_minutes_and_an_outage_is_bridged_for_an_hour(
    key: Ed25519PrivateKey, clock: ManualClock, minted: Callable[[Ed25519PrivateKey], str]
) -> None:
    issuer = Issuer(key)
    check, token = issuer.verifier(clock), minted(key)
    await check.verify(token)
    issuer.down = True
    clock.advance(3_599_000)
    await check.verify(token)
    clock.advance(11_000)
    with pytest.raises(KeysUnavailable):
        await check.verify(token)
    issuer.down = False
    issuer.keys = [Ed25519PrivateKey.generate()]
    clock.advance(300_000)
    with pytest.raises(Unauthenticated, match="not known"):
        await check.verify(token)


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"RSA"}]}',
b'{"keys":[5]}',
                                     b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}',
                                     b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"a=b"}]}'])  # fmt: skip
async def test_without_readable_keys_nobody_gets_in(
    tmp_path: Path, key: Ed25519PrivateKey, clock: ManualClock, content: bytes | None
) -> None:
    path = tmp_path / "other.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeysUnavailable):
        await JwksVerifier(path, issuer=ISSUER, audience=AUDIENCE, clock=clock).verify(
            mint(key, "u", [], 60, ISSUER, AUDIENCE, clock)
        )
