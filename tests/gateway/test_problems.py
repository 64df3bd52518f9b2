"""Every error over HTTP is a problem document: what was wrong, where, and what to do; never what is inside."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from packtrace.errors import (
    ChainError,
    ChainUnreachable,
    DocumentError,
    EvidenceError,
    IdentifierError,
    LifecycleError,
    PacktraceError,
)
from packtrace_gateway import bodies, problems
from packtrace_gateway.bodies import MAX_JSON_DEPTH, SMALL_BODY, BodyLimit, parse_json

LARGE = 10 * 1024 * 1024
JSON = {"content-type": "application/json"}


class Thing(BaseModel):
    name: str
    number: int


@pytest.fixture(scope="module")
def app() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    problems.install(app)
    app.add_middleware(BodyLimit, large=("/large",), large_limit=LARGE)
    app.add_middleware(problems.CatchAll)

    @app.get("/raise/{name}")
    def raising(name: str) -> None:
        raise ERRORS[name]

    @app.post("/things")
    def things(thing: Thing) -> Thing:
        return thing

    @app.post("/large/count")
    async def count(request: Request) -> int:
        return sum([len(part) async for part in request.stream()])

    return app


@pytest.fixture(scope="module")
def client(app: FastAPI, serve: Any) -> Iterator[httpx.Client]:
    with serve(app) as client:
        yield client


ERRORS: dict[str, Exception] = {
    "identifier": IdentifierError(
        "the check digit is wrong", field="epcList[3]", value="4012345000008", rule="GS1 7.9.1"
    ),
    "document": DocumentError("no action"),
    "lifecycle": LifecycleError("shipped before commissioned"),
    "evidence": EvidenceError("the root does not match"),
    "unreachable": ChainUnreachable("the node did not answer"),
    "chain": ChainError("the answer makes no sense"),
    "missing": problems.NotFoundError("no such event"),
    "exists": problems.AlreadyExistsError("there is one already"),
    "forbidden": problems.ForbiddenError("not yours"),
    "unauthorized": problems.UnauthorizedError("no key"),
    "other": PacktraceError("something else", value={"a": 1}),
    "bug": ZeroDivisionError("secret detail in /etc/packtrace"),
}


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert {"type", "title", "detail"} <= document.keys()
    return document


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("identifier", 400),
        ("document", 400),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("missing", 404),
        ("exists", 409),
        ("lifecycle", 409),
        ("evidence", 422),
        ("chain", 502),
        ("unreachable", 503),
        ("other", 400),
    ],
)
def test_each_kind_of_error_has_its_status(client: httpx.Client, name: str, status: int) -> None:
    error = ERRORS[name]
    assert isinstance(error, PacktraceError)
    assert problem(client.get(f"/raise/{name}"), status)["detail"] == error.message


def test_a_refusal_names_field_value_and_rule(client: httpx.Client) -> None:
    assert problem(client.get("/raise/identifier"), 400) == {
        "type": "epcisException:ValidationException",
        "title": "Identifier not valid",
        "status": 400,
        "detail": "the check digit is wrong",
        "field": "epcList[3]",
        "value": "4012345000008",
        "rule": "GS1 7.9.1",
    }


def test_when_to_come_back_and_how_to_sign_in_are_in_the_headers(client: httpx.Client) -> None:
    assert client.get("/raise/unreachable").headers["retry-after"] == "5"
    assert client.get("/raise/unauthorized").headers["www-authenticate"] == "Bearer"


def test_a_surprise_tells_an_incident_and_nothing_else(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        document = problem(client.get("/raise/bug"), 500)
    assert "secret" not in json.dumps(document)
    assert "ZeroDivision" not in json.dumps(document)
    assert document["incident"] in document["detail"]
    assert f"incident {document['incident']}: GET '/raise/bug' failed" in caplog.text
    assert "ZeroDivisionError: secret detail" in caplog.text


def test_unknown_routes_and_methods_are_problems_too(client: httpx.Client) -> None:
    assert problem(client.get("/nowhere"), 404)["value"] == "/nowhere"
    refused = client.delete("/things")
    assert "use POST" in problem(refused, 405)["detail"]
    assert refused.headers["allow"] == "POST"


def test_a_missing_and_a_wrong_member_are_both_named(client: httpx.Client) -> None:
    document = problem(client.post("/things", json={"number": "many"}), 400)
    assert [(found["field"], found.get("value")) for found in document["errors"]] == [
        ("name", None),
        ("number", "many"),
    ]


def test_json_cut_short_says_where(client: httpx.Client) -> None:
    document = problem(client.post("/things", content=b'{"name": "thing', headers=JSON), 400)
    assert document["detail"] == "body: JSON (RFC 8259); character 9: Unterminated string starting at"


@pytest.mark.parametrize("body", [b'{"name": "\xff", "number": 1}', b'{"name": "x", "number": ' + b"9" * 5000 + b"}"])
def test_a_body_that_cannot_be_read_is_named(client: httpx.Client, body: bytes) -> None:
    document = problem(client.post("/things", content=body, headers=JSON), 400)
    assert (document["field"], document["rule"]) == ("body", "RFC 8259")


def test_a_line_break_in_a_path_forges_no_line_of_the_log(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        problem(client.get("/raise/no%0aERROR forged"), 500)
    assert not [line for line in caplog.text.splitlines() if line.startswith("ERROR forged")]


def test_a_sender_that_stops_in_the_middle_is_told_and_let_go(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.3)
    head = b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n"
    with connected(client) as connection:
        connection.sendall(head + b'{"name": ')
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["rule"]


def test_a_slow_sender_that_goes_on_is_waited_for(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.3)
    monkeypatch.setattr(bodies, "SLOWEST", 1000)

    def slowly() -> Iterator[bytes]:
        for _ in range(10):
            time.sleep(0.1)
            yield b" " * 1000

    assert client.post("/large/count", content=slowly()).json() == 10_000


def test_a_caller_that_goes_away_in_the_middle_is_no_incident(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        with connected(client) as connection:
            connection.sendall(b"POST /large/count HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n{")
            time.sleep(0.2)
        assert client.post("/large/count", content=b"x").json() == 1  # after it
    assert "incident" not in caplog.text


def connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10)


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", None])
def test_another_content_type_is_refused_by_name(client: httpx.Client, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    document = problem(client.post("/things", content=b"<a/>", headers=headers), 415)
    assert (document["field"], document["value"]) == ("Content-Type", content_type or "")


def test_a_body_over_the_limit_is_refused_before_it_is_sent(client: httpx.Client) -> None:
    document = problem(client.post("/things", content=b" " * (SMALL_BODY + 1), headers=JSON), 413)
    assert document["rule"] == f"at most {SMALL_BODY} bytes"


def test_a_body_without_a_length_is_counted_as_it_arrives(client: httpx.Client) -> None:
    parts = (b" " * 65536 for _ in range(LARGE // 65536 + 2))
    assert problem(client.post("/large/count", content=parts), 413)["rule"] == f"at most {LARGE} bytes"


def test_a_large_path_takes_up_to_its_own_limit(client: httpx.Client) -> None:
    assert client.post("/large/count", content=b" " * LARGE).json() == LARGE
    problem(client.post("/large/count", content=b" " * (LARGE + 1)), 413)


def test_a_path_that_only_begins_like_a_large_one_is_small(client: httpx.Client) -> None:
    problem(client.post("/largest", content=b" " * (SMALL_BODY + 1)), 413)


@pytest.mark.parametrize("length", ["-1", "1e9", "x", "9" * 40])
def test_a_nonsense_length_is_refused(client: httpx.Client, length: str) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        connection.sendall(f"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        status = connection.recv(4096).split(b" ", 2)[1]
    assert status in (b"400", b"413")


@pytest.mark.parametrize(
    "data",
    [
        b"[" * LARGE,
        b'{"a":' * (LARGE // 5),
        b"[" * 900_000,
        b'{"a":' * 200_000,
        b"[[]," * 900_000,
        b"[" * 500 + b"]" * 500,
        b"[" * (MAX_JSON_DEPTH + 1) + b"]" * (MAX_JSON_DEPTH + 1),
    ],
    ids=len,
)
def test_deeply_nested_json_is_refused_quickly(data: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(DocumentError):
        parse_json(data)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("data", [b"", b'{"a": [1, 2', b'{"a": "unfinis', b'{"a":', b"["])
def test_a_document_cut_short_is_called_that(data: bytes) -> None:
    with pytest.raises(DocumentError, match="was it cut short"):
        parse_json(data)


def test_broken_json_says_line_and_column() -> None:
    with pytest.raises(DocumentError, match="line 2, column 5"):
        parse_json(b'{\n"a" 1}')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_ordinary_json_is_parsed_as_ever(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


def test_depth_is_counted_in_containers() -> None:
    parse_json(b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH)
    parse_json(b'{"a":' * MAX_JSON_DEPTH + b"1" + b"}" * MAX_JSON_DEPTH)
    assert parse_json(b'"' + b"[" * 1000 + b'"') == "[" * 1000
