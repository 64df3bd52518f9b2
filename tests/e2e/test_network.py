"""What a small network of real processes does when things go wrong that the demo's story does not tell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from packtrace_gateway import keys
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.client import Client
from packtrace_gateway.demo.companies import PURPOSE_BITS, WHOLESALE
from packtrace_gateway.demo.network import Network
from packtrace_gateway.keys import Purpose

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A wholesaler alone with its chain."""
    folder: Path = tmp_path_factory.mktemp("network") / "run"
    with Network(folder, companies=(WHOLESALE,)) as network:
        network.start_chain()
        network.make_gateway(WHOLESALE)
        network.register()
        network.start_gateways()
        yield network


@pytest.fixture
def client(network: Network) -> Client:
    return network.of(WHOLESALE).client


def observe(client: Client, serial: str) -> str:
    """Capture that something was seen; the event's path."""
    event = documents.receiving(WHOLESALE, [f"https://id.gs1.org/01/09506000134352/21/{serial}"])
    event |= {"bizStep": "storing", "disposition": "sellable_accessible"}
    answer = client.post("/capture", documents.document(event))
    return f"/events/{quote(answer['events'][0]['eventID'], safe='')}"


def anchored(answer: dict[str, Any]) -> bool:
    return answer["proof"] in ("anchored", "final")


def test_events_of_a_suspended_party_are_sealed_when_its_licence_is_back(network: Network, client: Client) -> None:
    client.wait(observe(client, "A1"), anchored)
    network.authority.suspend(WHOLESALE.party)
    path = observe(client, "A2")
    refused = client.wait("/outbox", lambda answer: answer["calls"][0]["state"] == "reverted")["calls"][0]
    assert refused["error_name"] == "NotLicensed"
    assert client.get(path)["proof"] in ("captured", "signed")
    later = observe(client, "A3")
    network.authority.reinstate(WHOLESALE.party)
    assert client.wait(path, anchored)["seal"]["sequence"] == 1
    client.wait(later, anchored)


def test_a_devnet_that_lost_its_last_blocks_is_healed(network: Network, client: Client) -> None:
    """The chain is killed like in a power cut; what the log had lost is there again, the same entry, once."""
    devnet = network.devnet
    devnet.save()
    earlier = devnet.state_file.read_bytes()
    path = observe(client, "B1")
    before = client.wait(path, anchored)
    devnet.kill()
    devnet.state_file.write_bytes(earlier)
    devnet.start()
    assert not _on_chain(network, before)
    after = client.wait(path, lambda answer: anchored(answer) and _on_chain(network, answer))
    assert after["seal"] == before["seal"]
    client.wait(observe(client, "B2"), anchored)


def _on_chain(network: Network, answer: dict[str, Any]) -> bool:
    seal = answer["seal"]
    key = [WHOLESALE.party, seal["lane"], seal["sequence"]]
    entry = network.devnet.node.call(network.deployment, "EventLog", "entryOf", key)
    return bool(entry["count"] == seal["count"])


def test_capture_goes_on_while_no_node_answers(network: Network, client: Client) -> None:
    network.devnet.stop()
    try:
        path = observe(client, "C1")
        verdict = client.post("/verify", {"code": "(01)09506000134352(21)C1"})["verdict"]
        assert verdict["headline"] == "not verified"
        assert client.get(path)["proof"] in ("captured", "signed")
    finally:
        network.devnet.start()
    client.wait(path, anchored)


def test_a_gateway_whose_key_leaked_goes_on_with_another(network: Network, client: Client) -> None:
    """As docs/governance.md says: a guard revokes the key, the gateway gets another, the authority adds it."""
    running = network.of(WHOLESALE)
    client.wait(observe(client, "D1"), anchored)
    ((_, leaked),) = [entry for entry in keys.addresses(running.settings) if entry[0] is Purpose.OPERATE]
    network.authority.revoke_key(leaked)
    path = observe(client, "D2")
    client.wait("/outbox", lambda answer: answer["calls"][0]["state"] == "reverted")
    running.stop()
    (running.settings.keystore / "operate.json").rename(running.settings.keystore / "operate.leaked.json")
    address, _ = keys.add_key(running.settings, Purpose.OPERATE)  # `packtrace gateway signer add DIR operate`
    network.authority.add_key(WHOLESALE.party, address, PURPOSE_BITS[Purpose.OPERATE])
    running.start()
    running.wait_until_healthy()
    client.wait(path, anchored)
    client.wait(observe(client, "D3"), anchored)
