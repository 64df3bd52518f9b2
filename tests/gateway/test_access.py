"""API keys: nothing is open but health; roles; revocation; what is stored."""

import base64
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from packtrace_gateway.access import guard
from packtrace_gateway.access.models import Role
from packtrace_gateway.access.service import KEY_FORM
from packtrace_gateway.app import ROUTERS, SIGNED
from packtrace_gateway.bodies import under
from packtrace_gateway.gateway import Gateway

KeyOf = Callable[..., dict[str, str]]


def test_nothing_is_open_but_health(app: FastAPI, client: httpx.Client) -> None:
    routes = list(app.openapi()["paths"].items())
    assert len(routes) > 4
    for path, operations in [
        *routes,
        ("/docs", {"get": {}}),
        ("/openapi.json", {"get": {}}),
        ("/nowhere", {"put": {}}),
    ]:
        for method in operations:
            if path != "/health" and not under(path, SIGNED):
                answer = client.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/health").status_code == 200


def test_health_tells_nothing_about_the_business(client: httpx.Client) -> None:
    health = client.get("/health").json()
    assert health.keys() == {"status", "version", "database", "nodes", "finality", "workers"}
    assert "Apotheke" not in str(health)
    assert "127.0.0.1" not in str(health)


def test_health_tells_how_the_nodes_are_and_whether_they_agree(client: httpx.Client, gateway: Gateway) -> None:
    limit = time.monotonic() + 10
    while (health := client.get("/health").json())["nodes"] != ["failing"]:
        assert time.monotonic() < limit, health
    assert health["finality"] == "ok"
    gateway.node.disagreement = "the nodes disagree about block 7, which should be final: at http://127.0.0.1:9 …"
    health = client.get("/health").json()
    assert (health["status"], health["finality"]) == ("degraded", "the nodes disagree")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer pt_",
        "Bearer pt_aaaaaaaa_" + "A" * 43,
        "Bearer " + "x" * 5000,
        "Basic " + base64.b64encode(b"admin:admin").decode(),
        "Token abc",
        "Bearer \xff",
    ],
)
def test_a_wrong_key_is_refused_as_a_problem(client: httpx.Client, authorization: str | None) -> None:
    headers = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}
    answer = client.get("/keys", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["type"] == "epcisException:SecurityException"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_of_another_secret_is_refused(client: httpx.Client, key: KeyOf) -> None:
    mine, other = key("admin")["Authorization"], key("admin")["Authorization"]
    mixed = "_".join([*mine.split("_")[:2], other.split("_", 2)[2]])
    assert client.get("/keys", headers={"Authorization": mine}).status_code == 200
    assert client.get("/keys", headers={"Authorization": mixed}).status_code == 401


def test_a_body_is_not_read_before_the_caller_is_known(client: httpx.Client) -> None:
    answer = client.post("/keys", content=b"x" * 2_000_000, headers={"content-type": "application/json"})
    assert answer.status_code == 401


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_admins_manage_keys(client: httpx.Client, key: KeyOf, role: Role) -> None:
    headers = key(role)
    for method, path in (("GET", "/keys"), ("POST", "/keys"), ("DELETE", "/keys/aaaaaaaa")):
        answer = client.request(method, path, headers=headers, json={"name": "x", "roles": ["admin"]})
        assert answer.status_code == 403, (method, path)
        assert "needs one of the roles admin" in answer.json()["detail"]


def test_no_role_includes_another(client: httpx.Client, key: KeyOf) -> None:
    draw = {"gtin": "4012345000009", "count": 1}
    assert client.post("/serials", json=draw, headers=key("admin")).status_code == 403
    assert client.post("/serials", json=draw, headers=key("admin", "line")).status_code == 404  # no policy yet


def test_a_key_is_made_used_listed_and_revoked(client: httpx.Client, key: KeyOf, gateway: Gateway) -> None:
    admin = key("admin")
    made = client.post("/keys", headers=admin, json={"name": "line 1", "roles": ["line", "quality", "line"]})
    assert made.status_code == 201
    new = made.json()
    assert KEY_FORM.fullmatch(new["key"])
    assert new["roles"] == ["line", "quality"]
    headers = {"Authorization": f"Bearer {new['key']}"}
    assert client.get("/serials/policies", headers=headers).status_code == 200

    gateway.access.record_use()
    listed = {row["id"]: row for row in client.get("/keys", headers=admin).json()}
    assert abs(listed[new["id"]]["last_used_at"] - time.time()) < 60
    assert "key" not in listed[new["id"]]
    assert new["key"].split("_", 2)[2] not in str(listed)

    assert client.delete(f"/keys/{new['id']}", headers=admin).json()["revoked_at"]
    assert client.get("/serials/policies", headers=headers).status_code == 401
    assert client.delete(f"/keys/{new['id']}", headers=admin).status_code == 200
    assert client.delete("/keys/nosuchid", headers=admin).status_code == 404


def test_a_key_made_or_revoked_by_another_process_counts_at_once(
    client: httpx.Client, key: KeyOf, gateway: Gateway
) -> None:
    admin = key("admin")
    assert client.get("/keys", headers=admin).status_code == 200
    with sqlite3.connect(gateway.database.file) as other:
        other.execute("UPDATE api_key SET revoked_at = 1")
    other.close()
    assert client.get("/keys", headers=admin).status_code == 401


def test_only_a_hash_of_the_key_is_stored(key: KeyOf, gateway: Gateway) -> None:
    secret = key("admin")["Authorization"].split("_", 2)[2]
    gateway.database.close()  # folds the log into the file
    stored = b"".join(path.read_bytes() for path in gateway.database.file.parent.glob("gateway.db*"))
    assert secret.encode() not in stored


@pytest.mark.parametrize(
    ("new", "field"),
    [
        ({"name": "x", "roles": []}, "roles"),
        ({"name": "x", "roles": ["boss"]}, "roles[0]"),
        ({"name": "", "roles": ["line"]}, "name"),
        ({"name": "tab\there", "roles": ["line"]}, "name"),
        ({"name": "x" * 101, "roles": ["line"]}, "name"),
        ({"name": "x", "roles": ["line"], "colour": "red"}, "colour"),
        ({"roles": ["line"]}, "name"),
    ],
)
def test_a_bad_key_request_names_the_field(client: httpx.Client, key: KeyOf, new: Any, field: str) -> None:
    answer = client.post("/keys", headers=key("admin"), json=new)
    assert answer.status_code == 400
    assert answer.json()["field"] == field


def test_the_page_opens_with_a_key_as_the_browsers_password(client: httpx.Client, key: KeyOf) -> None:
    text = key("auditor")["Authorization"].removeprefix("Bearer ")
    page = client.get("/docs", auth=("anybody", text))
    assert page.status_code == 200
    assert "/serials" in page.text
    assert "<script" not in page.text
    assert "http" not in page.text.replace("http-", ""), "nothing is loaded from elsewhere"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/openapi.json", auth=("", text)).json()["paths"]["/health"]
    refused = client.get("/docs", auth=("anybody", "wrong"))
    assert refused.headers["www-authenticate"].startswith("Basic")


def test_the_browsers_password_opens_nothing_else(client: httpx.Client, key: KeyOf) -> None:
    text = key("admin")["Authorization"].removeprefix("Bearer ")
    assert client.get("/keys", auth=("anybody", text)).status_code == 401
    assert client.post("/keys", auth=("", text), json={"name": "x", "roles": ["admin"]}).status_code == 401
    assert client.post("/docs", auth=("", text)).status_code == 401


def test_a_key_in_the_query_is_not_taken(client: httpx.Client, key: KeyOf) -> None:
    text = key("admin")["Authorization"].removeprefix("Bearer ")
    assert client.get(f"/keys?key={text}&access_token={text}").status_code == 401


def test_every_route_asks_for_roles(app: FastAPI) -> None:
    found = [*app.routes, *(route for router in ROUTERS for route in router.routes)]
    routes = [route for route in found if isinstance(route, APIRoute)]
    assert {route.path for route in routes} >= {"/keys", "/serials", "/health"}
    for route in routes:
        asks = any(
            dependency.call is not None and dependency.call.__qualname__.startswith(guard.require.__name__)
            for dependency in route.dependant.dependencies
        )
        assert asks or route.path in guard.OPEN or under(route.path, SIGNED), f"{route.path} asks for no role"
