"""GET /metrics: figures for Prometheus, for those who may read them."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from packtrace_gateway.access.models import Role
from packtrace_gateway.gateway import Gateway

DOCS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
SERIAL = "SN0123456789"
KeyOf = Callable[..., dict[str, str]]


def read(client: httpx.Client, headers: dict[str, str]) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample by its name and labels."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.mark.parametrize("role", Role)
def test_only_monitoring_admins_and_auditors_read_it(client: httpx.Client, key: KeyOf, role: Role) -> None:
    expected = 200 if role in (Role.METRICS, Role.ADMIN, Role.AUDITOR) else 403
    assert client.get("/metrics", headers=key(role)).status_code == expected
    assert client.get("/metrics").status_code == 401


def test_key_of_the_monitoring_reads_nothing_else(client: httpx.Client, key: KeyOf) -> None:
    for path in ("/outbox", "/keys", "/alerts", "/batches"):
        assert client.get(path, headers=key("metrics")).status_code == 403


def test_requests_are_counted_by_route_and_never_by_what_stands_in_the_path(client: httpx.Client, key: KeyOf) -> None:
    headers = key("admin", "metrics")
    assert client.get("/outbox/7", headers=headers).status_code == 404
    for path in (f"/nothing/{SERIAL}", f"/outbox/{SERIAL}", f"/events/{SERIAL}"):
        client.get(path, headers=headers)
    client.request("PROPFIND", f"/outbox/{SERIAL}", headers=headers)
    client.get(f"/outbox/{SERIAL}")  # without a key
    found = read(client, headers)
    requests = found["packtrace_http_requests_total"]
    assert requests[("method", "GET"), ("route", "/outbox/{number}"), ("status", "404")] == 1
    assert requests[("method", "GET"), ("route", "/outbox/{number}"), ("status", "400")] == 1
    assert requests[("method", "GET"), ("route", "other"), ("status", "404")] == 1
    assert requests[("method", "GET"), ("route", "other"), ("status", "401")] == 1
    assert any(("method", "other") in labels for labels in requests)
    seconds = found["packtrace_http_request_seconds_count"]
    assert seconds[("method", "GET"), ("route", "/outbox/{number}")] == 2
    assert SERIAL not in client.get("/metrics", headers=headers).text


def test_figures_tell_what_waits(client: httpx.Client, gateway: Gateway, key: KeyOf) -> None:
    headers = key("metrics")
    before = read(client, headers)
    assert before["packtrace_outbox_oldest_unconfirmed_seconds"][()] == 0
    with gateway.database.write() as session:
        gateway.outbox.enqueue(
            session, contract="EventLog", function="append", args=[0, 0, bytes(32), 1], key="operate", reference="x"
        )
    found = read(client, headers)
    assert found["packtrace_outbox_rows"][(("state", "queued"),)] == 1
    assert found["packtrace_outbox_rows"][(("state", "final"),)] == 0
    assert 0 < found["packtrace_outbox_oldest_unconfirmed_seconds"][()] < 60
    assert found["packtrace_worker_up"][(("worker", "outbox"),)] == 1
    assert found["packtrace_alerts_open"][()] == 0
    assert found["packtrace_nodes_disagree"][()] == 0
    assert "packtrace_chain_block" not in found, "no node answers: an old figure would be taken for a new one"
    gateway.node.probe()
    assert read(client, headers)["packtrace_node_up"] == {(("node", "http://127.0.0.1:9"),): 0}


def test_every_figure_is_explained_in_the_documentation(client: httpx.Client, key: KeyOf) -> None:
    text = client.get("/metrics", headers=key("metrics")).text
    shown = {name.removesuffix("_total") for name in re.findall(r"^# TYPE (packtrace_\w+)", text, re.M)}
    shown = {name for name in shown if not name.endswith("_created")}
    explained = set(re.findall(r"`(packtrace_\w+)", DOCS.read_text()))
    of_the_chain = {name for name in explained if name.startswith(("packtrace_chain", "packtrace_relayer"))}
    of_the_chain |= {"packtrace_finality_lag_blocks", "packtrace_finality_lag_seconds", "packtrace_index_lag_blocks"}
    assert {name.removesuffix("_total") for name in explained} == shown | of_the_chain
