"""The outbox over HTTP, for operators."""

import pytest

from packtrace_gateway.outbox.models import State


@pytest.fixture
def queued(gateway):
    with gateway.database.write() as session:
        return [
            gateway.outbox.enqueue(
                session,
                contract="EventLog",
                function="append",
                args=[0, number, bytes([number]) * 32, 1],
                key="operate",
                reference=f"seal {number}",
            )
            for number in range(3)
        ]


def test_calls_are_listed_newest_first_page_by_page(client, key, queued):
    first = client.get("/outbox", params={"limit": 2}, headers=key("auditor")).json()["calls"]
    assert [call["id"] for call in first] == queued[:0:-1]
    rest = client.get("/outbox", params={"before": first[-1]["id"]}, headers=key("admin")).json()["calls"]
    assert [call["id"] for call in rest] == queued[:1]
    assert rest[0]["reference"] == "seal 0"


def test_calls_are_found_by_state_and_reference(client, key, queued):
    headers = key("auditor")
    found = client.get("/outbox", params={"reference": "seal 1", "state": "queued"}, headers=headers).json()["calls"]
    assert [call["id"] for call in found] == [queued[1]]
    assert client.get("/outbox", params={"state": "final"}, headers=headers).json()["calls"] == []
    assert client.get("/outbox", params={"state": "gone"}, headers=headers).status_code == 400


def test_one_call_is_shown_with_its_arguments(client, key, queued):
    call = client.get(f"/outbox/{queued[2]}", headers=key("admin")).json()
    assert (call["state"], call["contract"], call["function"]) == (State.QUEUED, "EventLog", "append")
    assert call["args"]["root"] == "0x" + "02" * 32
    assert call["attempts"] == []


def test_call_that_does_not_exist_is_not_found(client, key):
    answer = client.get("/outbox/99", headers=key("admin"))
    assert (answer.status_code, answer.json()["field"]) == (404, "id")


@pytest.mark.parametrize("role", ["line", "quality", "warehouse", "dispenser", "regulator"])
def test_only_admins_and_auditors_read_the_outbox(client, key, role):
    assert client.get("/outbox", headers=key(role)).status_code == 403
