"""The web server as it is run: who asks for nothing is not waited for."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from packtrace_gateway import serving
from packtrace_gateway.serving import Server


@pytest.fixture
def address(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A gateway served as `packtrace gateway run` does it, but for its patience."""
    monkeypatch.setattr(serving, "HEAD_SECONDS", 1)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


def cut_after(connection: socket.socket) -> bytes:
    """What came until the other side cut the connection."""
    came = b""
    try:
        while part := connection.recv(65536):
            came += part
    except ConnectionResetError:
        pass
    return came


@pytest.mark.parametrize("said", [b"", b"G", b"GET /health HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_that_asks_for_nothing_is_cut(address: tuple[str, int], said: bytes) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(said)
        assert cut_after(connection) == b""


def test_a_second_request_is_not_waited_for_either(address: tuple[str, int]) -> None:
    """A byte now and then resets uvicorn's own timer."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert trickle(connection) < 10


def trickle(connection: socket.socket) -> float:
    """Send a byte now and then; the seconds until the other side cut the connection (or 10)."""
    started = time.monotonic()
    while (passed := time.monotonic() - started) < 10:
        try:
            connection.sendall(b"G")
        except OSError:
            break
        time.sleep(0.2)
    return passed


BODY = b"POST /exchange/locate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"


@pytest.mark.parametrize(
    "said",
    [b"GET /health HTTP/1.1\r\nHost: x\r\nA: ", b"GET /health?", BODY + b"A: "],
    ids=["a field", "a path", "a field behind a body"],
)
def test_what_has_no_end_is_cut(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 3600)
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(said)
        assert flood(connection) < 8 << 20


def flood(connection: socket.socket) -> int:
    """Send until the other side has had enough; the bytes sent (or 64 MiB)."""
    sent = 0
    while sent < 64 << 20:
        try:
            connection.sendall(b"x" * 65536)
        except OSError:
            break
        sent += 65536
    return sent


@pytest.mark.parametrize("size", [100, 1000, 100_000])
def test_a_body_in_pieces_of_any_size_is_taken(address: tuple[str, int], size: int) -> None:
    """In small ones what is between them is more than a head may have."""
    pieces = (b" " * size for _ in range(900_000 // size))
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as client:
        answer = client.post("/exchange/locate", content=pieces)
        assert answer.status_code == 401
        assert answer.json()["field"] == "Packtrace-Party"
        assert client.get("/health").status_code == 200


def test_who_asks_now_and_then_keeps_the_connection(address: tuple[str, int]) -> None:
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as client:
        for _ in range(5):
            assert client.get("/health").status_code == 200
            time.sleep(0.5)
