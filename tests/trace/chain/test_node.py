"""The client on a real node, and on things that are not one."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from supply import BATCH, ITEM_ROOT, MAKER, Network, packed, unit

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Call, Node, NodeError, Request
from packtrace.chain.refusals import ChainRefusal
from packtrace.chain.transactions import Message, send
from packtrace.errors import ChainError, ChainUnreachable
from packtrace.facts import Status
from packtrace_gateway.devnet import Devnet


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on a free port that treats every connection with `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def forwarding(port: int, connections: list[socket.socket]) -> Callable[[socket.socket], None]:
    """Passes everything on to `port`, and keeps each connection in `connections`."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        upstream = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=pump, args=(upstream, connection), daemon=True).start()
        pump(connection, upstream)

    return serve


def answering(body: bytes, status: str = "200 OK") -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.close()

    return serve


# ---- calls ----


def test_calls_of_a_batch_are_answered_in_their_order(network: Network) -> None:
    network.propose()
    calls = [Call("PackLedger", "statusOf", [unit(1)]), Call("PackLedger", "batchOf", [BATCH])] * 3
    calls.append(Call("PartyRegistry", "isLicensed", [MAKER]))
    answers = network.node.calls(network.deployment, calls)
    assert [answers[0], answers[2], answers[4], answers[6]] == [0, 0, 0, True]
    assert all(answer["itemRoot"] == ITEM_ROOT for answer in (answers[1], answers[3], answers[5]))


def test_more_calls_than_one_request_takes_are_all_answered(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrace.chain.node.MAX_BATCH", 7)
    calls = [Call("PartyRegistry", "partyOf", [number]) for number in range(40)]
    answers = network.node.calls(network.deployment, calls)
    assert [n for n, party in enumerate(answers) if party["company"]] == [1, 10, 30]


def test_refused_call_is_raised_with_the_contracts_own_error(network: Network) -> None:
    with pytest.raises(ChainRefusal) as refused:
        network.node.call(network.deployment, "PartyRegistry", "authority", [network.relayer.address, 1])
    assert refused.value.name == "UnknownKey"
    assert refused.value.args_ == {"key": network.relayer.address}


def test_batch_keeps_the_good_answers_beside_a_refused_one(network: Network) -> None:
    good, bad, also = network.node.batch([Request("eth_chainId"), Request("no_such"), Request("eth_blockNumber")])
    assert (good, isinstance(bad, NodeError)) == ("0x7a69", True)
    assert int(also, 16) >= 1


def test_call_at_a_block_sees_the_state_after_that_block(network: Network) -> None:
    network.propose()
    network.release()
    before = network.node.block()
    network.act(network.pharmacy, "PackLedger", "changeStatus", [Status.SUPPLIED, packed(3), b"\0" * 32])
    status = [network.node.call(network.deployment, "PackLedger", "statusOf", [unit(3)], b) for b in (before, "latest")]
    assert status == [Status.ACTIVE, Status.SUPPLIED]
    assert network.node.call(network.deployment, "PackLedger", "statusOf", [unit(3)], before.number) == Status.ACTIVE


def test_call_at_a_block_that_a_reorganisation_took_is_refused(network: Network) -> None:
    network.propose()
    lost = network.node.block()
    network.devnet.reorg(1)
    assert network.node.block(lost.number) != lost
    with pytest.raises(ChainError):
        network.node.call(network.deployment, "PackLedger", "statusOf", [unit(3)], lost)


def test_block_is_found_by_tag_number_and_hash(network: Network) -> None:
    network.devnet.mine(3)
    newest = network.node.block()
    assert network.node.block(newest.number) == network.node.block(newest.hash) == newest
    assert network.node.block(newest.number - 1).hash == newest.parent_hash
    assert network.node.block("finalized").number == newest.number - 2
    with pytest.raises(ChainError, match="no such block"):
        network.node.block(newest.number + 1)
    assert network.node.blocks([newest.number, newest.number + 1, b"\0" * 32]) == [newest, None, None]


# ---- logs and receipts ----


def test_logs_are_the_deployments_events_in_order(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrace.chain.node.MAX_LOG_BLOCKS", 1)  # a question for each block
    first = network.node.block().number + 1
    network.propose()
    network.release()
    receipt = network.act(network.pharmacy, "PackLedger", "changeStatus", [1, packed(3, 3), b"\0" * 32])
    logs = network.node.logs(network.deployment, first, receipt.block_number)
    assert [log.event for log in logs] == ["BatchProposed", "BatchReleased", "Conflict", "StatusChanged"]
    assert [log.block_number for log in logs] == [first, first + 1, first + 2, first + 2]
    assert logs[-1].args["outcomes"] == bytes([0, 0x83])
    assert logs[-1].transaction_hash == receipt.transaction_hash
    assert logs[-1].block_hash == receipt.block_hash

    def select(*indexed: bytes | None) -> int:
        found = network.node.logs(
            network.deployment, first, receipt.block_number, contract="PackLedger", event="Conflict", indexed=indexed
        )
        return len(found)

    party = (30).to_bytes(32)
    assert [select(), select(None, party), select(None, bytes(32)), select(unit(3).to_bytes(32), party)] == [1, 1, 0, 1]
    assert network.node.logs(network.deployment, first, first - 1) == []


def test_events_of_another_contract_are_not_taken_for_ours(network: Network) -> None:
    network.propose()
    receipt = network.act(network.maker, "PackLedger", "release", [BATCH, ITEM_ROOT])
    assert [event.event for event in receipt.events(network.deployment)] == ["BatchReleased"]
    moved = {**network.deployment.contracts, "PackLedger": "0x" + "99" * 20}
    assert receipt.events(replace(network.deployment, contracts=moved)) == []


def test_receipt_of_a_waiting_transaction_is_none(network: Network) -> None:
    assert network.node.receipt(b"\1" * 32) is None


# ---- sending ----


def test_transaction_that_is_refused_says_why_and_nothing_is_sent(network: Network) -> None:
    before = network.node.transaction_count(network.relayer.address)
    with pytest.raises(ChainRefusal) as refused:
        network.act(network.pharmacy, "PackLedger", "release", [BATCH, ITEM_ROOT])
    assert refused.value.name == "BatchNotProposed"
    assert network.node.transaction_count(network.relayer.address) == before


def test_transaction_that_fails_in_its_block_says_why(network: Network) -> None:
    """Two releases of one batch, both good when they are sent: the second fails on chain."""
    network.propose()
    consents = [network.consent(network.maker, "PackLedger", "release", [BATCH, ITEM_ROOT], lane) for lane in (1, 2)]
    network.devnet.pause_mining()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(network.carry, "PackLedger", "release", [BATCH, ITEM_ROOT], consents[0])
        wait_for_pool(network, 1)
        second = pool.submit(network.carry, "PackLedger", "release", [BATCH, ITEM_ROOT], consents[1])
        wait_for_pool(network, 2)
        network.devnet.resume_mining()
        assert first.result().succeeded
        with pytest.raises(ChainRefusal) as refused:
            second.result()
    assert refused.value.name == "BatchNotProposed"


def wait_for_pool(network: Network, count: int) -> None:
    limit = time.monotonic() + 10
    while network.devnet.pool().pending < count:
        assert time.monotonic() < limit, "the transaction did not reach the pool"
        time.sleep(0.01)


def test_account_without_funds_is_told_so(network: Network) -> None:
    with pytest.raises(NodeError) as refused:
        send(network.node, network.maker, Message(network.relayer.address, b""))
    assert refused.value.kind == "insufficient funds"


def test_transaction_sent_twice_is_already_known(network: Network) -> None:
    base, tip = network.node.fees()
    transaction = {
        "type": 2,
        "chainId": 31337,
        "nonce": network.node.transaction_count(network.relayer.address),
        "gas": 21_000,
        "maxFeePerGas": 2 * base + tip,
        "maxPriorityFeePerGas": tip,
        "to": network.authority.address,
        "value": 1,
    }
    raw = bytes(network.relayer.sign_transaction(transaction).raw_transaction)
    network.devnet.pause_mining()
    sent = network.node.send_raw(raw)
    with pytest.raises(NodeError) as known:
        network.node.send_raw(raw)
    assert known.value.kind == "already known"
    network.devnet.resume_mining()
    with pytest.raises(NodeError) as late:
        network.node.send_raw(raw)
    assert late.value.kind in ("already known", "nonce too low")
    receipt = network.node.receipt(sent)
    assert receipt is not None
    assert receipt.succeeded


# ---- the deployment ----


def test_node_of_the_deployment_passes_the_check(network: Network) -> None:
    network.node.check(network.deployment)


def test_node_of_another_chain_is_refused(network: Network) -> None:
    with pytest.raises(ChainError, match="on chain 31337, the deployment on chain 1"):
        network.node.check(replace(network.deployment, chain_id=1))


def test_node_without_the_contracts_is_refused(network: Network, deployment: Deployment) -> None:
    contracts = {**network.deployment.contracts, "EventLog": "0x" + "99" * 20}
    with pytest.raises(ChainError, match=r"contracts\.EventLog"):
        network.node.check(replace(network.deployment, contracts=contracts))
    with pytest.raises(ChainError, match="no such contract at the deployment's address"):
        network.node.call(replace(network.deployment, contracts=contracts), "EventLog", "nextSequence", [1, 1])


# ---- the connection ----


def test_one_connection_serves_many_requests(network: Network) -> None:
    connections: list[socket.socket] = []
    with listening(forwarding(network.devnet.port, connections)) as port:
        node = Node(f"http://127.0.0.1:{port}")
        for _ in range(20):
            node.calls(network.deployment, [Call("PartyRegistry", "isLicensed", [MAKER])] * 3)
    assert len(connections) == 1


def test_connection_that_the_node_closed_is_opened_again(network: Network) -> None:
    connections: list[socket.socket] = []
    with listening(forwarding(network.devnet.port, connections)) as port:
        node = Node(f"http://127.0.0.1:{port}")
        for _ in range(3):
            assert node.chain_id() == 31337
            connections[-1].shutdown(socket.SHUT_RDWR)
    assert len(connections) == 3


def test_node_is_shared_by_threads(network: Network) -> None:
    def ask(number: int) -> bool:
        answers = network.node.calls(network.deployment, [Call("PartyRegistry", "partyOf", [number])] * 2)
        return [answer["company"] for answer in answers] == [number if number in (1, 10, 30) else 0] * 2

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, list(range(32)) * 4))


def test_node_that_is_not_there_is_named_with_its_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ChainUnreachable, match=re.escape(f"{url} did not answer (no connection)")):
            Node(url).chain_id()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 did"),
        ("http://127.0.0.1:9/", "http://127.0.0.1:9 did"),
        ("http://user:hunter2@127.0.0.1:9/?token=hunter3", "http://127.0.0.1:9/… did"),
        ("http://us@er:hunter2@127.0.0.1:9", "http://127.0.0.1:9 did"),
        ("http://127.0.0.1:9/v3/hunter2", "http://127.0.0.1:9/… did"),
    ],
)
def test_node_is_named_without_its_secrets(url: str, shown: str) -> None:
    node = Node(url)
    with pytest.raises(ChainUnreachable) as refused:
        node.chain_id()
    assert shown in str(refused.value)
    assert "hunter" not in str(refused.value) + repr(node)


def test_node_that_does_not_answer_in_time_is_given_up() -> None:
    with listening(lambda connection: time.sleep(5)) as port:
        began = time.monotonic()
        with pytest.raises(ChainUnreachable, match=r"no answer within 0\.2 s"):
            Node(f"http://127.0.0.1:{port}", timeout=0.2).batch([Request("eth_chainId")])
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"", b"[]", b"{}", b"null", b'"x"', b'[{"id":0}]', b"[1]", b"\xff\xfe", b'{"result":'],
)
def test_what_is_not_a_node_is_told_so(body: bytes) -> None:
    with listening(answering(body)) as port:
        node = Node(f"http://127.0.0.1:{port}", timeout=2)
        for ask in (node.chain_id, lambda: node.batch([Request("eth_chainId")])):
            with pytest.raises(ChainUnreachable, match=r"is not an Ethereum node|did not answer"):
                ask()


def test_http_error_is_told_with_its_status() -> None:
    with (
        listening(answering(b"no", "503 Service Unavailable")) as port,
        pytest.raises(ChainUnreachable, match="HTTP status 503"),
    ):
        Node(f"http://127.0.0.1:{port}").chain_id()


def test_batch_that_is_refused_as_a_whole_is_raised() -> None:
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"batch too large"}}'
    with listening(answering(body)) as port, pytest.raises(NodeError, match="batch too large"):
        Node(f"http://127.0.0.1:{port}").batch([Request("eth_chainId")])


@pytest.mark.parametrize("url", ["", "localhost:8545", "ftp://x", "http://", "file:///etc/passwd"])
def test_address_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ChainError, match="http:// or https:// URL"):
        Node(url)


def test_node_answers_again_after_a_restart(tmp_path: Path) -> None:
    with Devnet(tmp_path) as devnet:
        node = Node(devnet.url)
        node.chain_id()
        devnet.restart()
        assert node.chain_id() == devnet.chain_id
