import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket

from lucid_kit import logs
from lucid_kit.http import create_app, needs
from lucid_kit.ids import is_id, new_id
from lucid_kit.tokens import JwksVerifier

from .example_app import build

Answer = httpx.Response


@pytest.fixture
def app(verifier: JwksVerifier) -> FastAPI:
    return build(verifier)


@pytest.fixture
async def client(app: FastAPI, token: Callable[..., str]) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token()}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://kit", headers=headers
    ) as client:
        yield client


def problem_of(answer: Answer, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert is_id(answer.headers["x-request-id"], "req")
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["instance"]
    return body


async def test_a_note_is_added_shown_and_dropped(client: httpx.AsyncClient) -> None:
    note = (await client.post("/notes", json={"text": "hello"})).json()
    assert note["owner"] == "usr_1"
    assert (await client.get(f"/notes/{note['id']}")).json() == note
    assert (await client.delete(f"/notes/{note['id']}")).status_code == 204
    problem_of(await client.get(f"/notes/{note['id']}"), 404, "LUCID_ERR_1404")


async def test_the_same_routes_answer_under_api_v1(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/notes")).json() == []
    assert (await client.get("/api/v1/health")).json() == {
        "status": "ok",
        "name": "example",
        "version": "1.2.3",
    }
    problem_of(await client.get("/api/v1"), 404, "LUCID_ERR_1404")
    problem_of(await client.get("/api/v1x/notes"), 404, "LUCID_ERR_1404")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic dTpw", "Bearer \xe9"])
async def test_without_a_valid_token_the_answer_is_401(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get("/notes", headers={"Authorization": header.encode("latin-1")})
    problem_of(answer, 401, "LUCID_ERR_2401")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_each_missing_scope_is_named_in_a_403(
    client: httpx.AsyncClient, token: Callable[..., str]
) -> None:
    headers = {"Authorization": f"Bearer {token('notes:read')}"}
    assert (await client.get("/notes", headers=headers)).status_code == 200
    answer = await client.delete(f"/notes/{new_id('note')}", headers=headers)
    assert problem_of(answer, 403, "LUCID_ERR_2403")["facts"] == {"missing": ["notes:write"]}


async def test_an_app_without_a_verifier_lets_nobody_in(token: Callable[..., str]) -> None:
    transport = httpx.ASGITransport(build(None))
    async with httpx.AsyncClient(transport=transport, base_url="http://kit") as client:
        answer = await client.get("/notes", headers={"Authorization": f"Bearer {token()}"})
    problem_of(answer, 401, "LUCID_ERR_2401")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": 5}, "body.text"),
        ({"text": "x" * 201}, "body.text"),
        ({"text": "x", "stars": 6}, "body.stars"),
        ({"text": "x", "more": 1}, "body.more"),
        ([], "body"),
        ({}, "body.text"),
    ],
)
async def test_every_wrong_field_is_listed_without_its_value(
    client: httpx.AsyncClient, body: Any, field: str
) -> None:
    found = problem_of(await client.post("/notes", json=body), 422, "LUCID_ERR_1000")
    assert [fault["field"] for fault in found["facts"]["fields"]] == [field]
    assert set(found["facts"]["fields"][0]) == {"field", "problem"}


@pytest.mark.parametrize(
    "note_id", ["x", "note_1", "%00", "note_" + "0" * 32, "%ED%A0%80", "%FF", "a" * 3000]
)
async def test_a_path_id_of_another_form_is_refused(client: httpx.AsyncClient, note_id: str) -> None:
    problem_of(await client.get(f"/notes/{note_id}"), 422, "LUCID_ERR_1000")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "LUCID_ERR_1400"),
        (b"", 422, "LUCID_ERR_1000"),
        (b'"\xff\xfe"', 400, "LUCID_ERR_1400"),
        (b"[" * 100_000, 400, "LUCID_ERR_1400"),
        (b'{"text":"x","extra":{"a":' + b"[" * 70 + b"]" * 70 + b"}}", 400, "LUCID_ERR_1400"),
        (b'{"text":"\\ud800"}', 422, "LUCID_ERR_1000"),
        (b'{"text":"x","extra":{"\\udfff":1}}', 422, "LUCID_ERR_1000"),
        (b'{"text":"\\ud800', 400, "LUCID_ERR_1400"),
        (b'{"text":"x","extra":{"a":NaN}}', 400, "LUCID_ERR_1400"),
        (b'{"text":"x","stars":' + b"9" * 5000 + b"}", 400, "LUCID_ERR_1400"),
        (b'{"text":"' + b"x" * (1 << 20) + b'"}', 413, "LUCID_ERR_1413"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_refused_in_words(
    client: httpx.AsyncClient, body: bytes, status: int, code: str
) -> None:
    for kind in ("application/json", "application/vnd.x+json"):
        answer = await client.post("/notes", content=body, headers={"Content-Type": kind})
        problem_of(answer, status, code)


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":"a\\u0000b","extra":{"\\u0000":"\\u0000"}}',
        b'{"text":"\\ud83d\\ude00"}',
        b'{"text":"x","extra":{"a":"' + b"[{" * 100 + b'"}}',
        b'{"text":"x","extra":{"a":[' + b",".join([b"[]"] * 200) + b"]}}",
    ],
)
async def test_unusual_but_sound_json_is_taken(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/notes", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["text"] == json.loads(body)["text"]


async def test_a_body_that_grows_past_the_limit_while_it_is_sent_is_refused(
    client: httpx.AsyncClient,
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    answer = await client.post("/notes", content=endless(), headers={"Content-Type": "application/json"})
    problem_of(answer, 413, "LUCID_ERR_1413")


async def test_a_route_may_set_its_own_body_limit(client: httpx.AsyncClient) -> None:
    assert (await client.put("/break/large", json={"text": "x"})).status_code == 200
    problem_of(await client.put("/break/large", json={"text": "x" * 65}), 413, "LUCID_ERR_1413")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "", "nonsense"]
)
async def test_a_body_of_another_content_type_is_415(client: httpx.AsyncClient, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = await client.post("/notes", content=b'{"text":"x"}', headers=headers)
    problem_of(answer, 415, "LUCID_ERR_1415")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "HEAD", "QUERY", "DELETE"])
async def test_a_method_nobody_understands_is_405_with_all_that_would_do(
    client: httpx.AsyncClient, method: str
) -> None:
    answer = await client.request(method, "/notes")
    assert answer.headers["allow"] == "GET, POST"
    if method != "HEAD":
        assert problem_of(answer, 405, "LUCID_ERR_1405")["facts"] == {"allowed": ["GET", "POST"]}


async def test_an_unexpected_failure_says_nothing_to_the_caller_and_all_to_the_log(
    client: httpx.AsyncClient,
) -> None:
    stream = io.StringIO()
    logs.configure("example", stream=stream)
    answer = await client.get("/break/unexpected")
    body = problem_of(answer, 500, "LUCID_ERR_5000")
    assert "hunter2" not in answer.text
    (line,) = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert line["request_id"] == body["facts"]["request_id"] == answer.headers["x-request-id"]
    assert "RuntimeError" in line["exception"]


async def test_a_domain_error_keeps_its_code_facts_and_odd_characters(client: httpx.AsyncClient) -> None:
    body = problem_of(await client.get("/break/locked"), 409, "LUCID_ERR_4990")
    assert body["facts"] == {"since_ms": 5}
    assert body["advice"] == "Unlock it first."


async def test_a_limit_says_how_long_to_wait(client: httpx.AsyncClient) -> None:
    answer = await client.get("/break/limited")
    problem_of(answer, 429, "LUCID_ERR_3000")
    assert answer.headers["retry-after"] == "7"


async def test_a_request_id_is_taken_over_when_it_looks_like_one(client: httpx.AsyncClient) -> None:
    taken = await client.get("/health", headers={"X-Request-Id": "0193f0e0-c1a2-7b3c"})
    assert taken.headers["x-request-id"] == "0193f0e0-c1a2-7b3c"
    made = await client.get("/health", headers={"X-Request-Id": 'x"} {"level": "error'})
    assert is_id(made.headers["x-request-id"], "req")


async def test_ready_names_each_thing_that_does_not_answer(
    verifier: JwksVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lucid_kit.http._READY_SECONDS", 0.01)

    async def fine() -> None: ...

    async def broken() -> None:
        raise OSError("password=hunter2")

    async def hanging() -> None:
        await asyncio.Event().wait()

    app = build(verifier, ready={"documents": fine, "blobs": broken, "chain": hanging})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kit") as client:
        answer = await client.get("/ready")
    body = problem_of(answer, 503, "LUCID_ERR_5003")
    assert body["facts"]["checks"] == {"blobs": "OSError", "chain": "no answer within 0.01 s"}
    assert answer.headers["retry-after"] == "1"
    assert "hunter2" not in answer.text


async def test_ready_answers_when_everything_does(client: httpx.AsyncClient) -> None:
    assert (await client.get("/ready")).json() == {"status": "ready", "checks": {}}


async def test_requests_are_counted_by_the_template_of_their_route(client: httpx.AsyncClient) -> None:
    await client.get(f"/api/v1/notes/{new_id('note')}")
    await client.get("/nowhere/at/all")
    await client.request("BREW", "/notes")
    text = (await client.get("/metrics")).text
    assert 'lucid_http_requests_total{method="GET",route="/notes/{note_id}",status="404"} 1.0' in text
    assert 'lucid_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'method="other"' in text
    assert 'lucid_http_requests_seconds_count{method="GET",route="/notes/{note_id}"} 1.0' in text


async def test_the_openapi_document_declares_problems_and_bearer_tokens(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    operation = document["paths"]["/notes"]["post"]
    assert operation["security"] == [{"bearer": ["notes:write"]}]
    for status in (401, 403, 404, 405, 409, 413, 415, 422, 429, 500):
        assert operation["responses"][str(status)] == {"$ref": f"#/components/responses/Problem{status}"}
        content = document["components"]["responses"][f"Problem{status}"]["content"]
        assert list(content) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "security" not in document["paths"]["/health"]["get"]


async def test_websockets_are_refused_by_code(verifier: JwksVerifier) -> None:
    routes = APIRouter()

    @routes.websocket("/live")
    async def live(socket: WebSocket, speed: int, who: Any = needs("live")) -> None:
        await socket.accept()

    app = create_app("x", version="1", routers=[routes], verifier=verifier)
    for query, code in ((b"speed=1", "LUCID_ERR_2401"), (b"speed=x", "LUCID_ERR_")):
        sent: list[Any] = []

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": "/api/v1/live",
            "query_string": query,
            "headers": [],
            "asgi": {},
        }
        await app(scope, receive, send)
        assert (sent[0]["type"], sent[0]["code"]) == ("websocket.close", 1008)
        assert sent[0]["reason"].startswith(code)
