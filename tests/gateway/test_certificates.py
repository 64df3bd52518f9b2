"""The local authority and the certificate for the phone page, and TLS as the gateway serves it."""

import os
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from fastapi import FastAPI

from packtrace_gateway import serving
from packtrace_gateway.certificates import RENEW_DAYS, SERVER_DAYS, CertificateError, Files, issue
from packtrace_gateway.serving import Server, Tls

NAMES = ("192.168.1.20", "counter.lan")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "tls")


@contextmanager
def served(app: FastAPI, files: Files) -> Iterator[tuple[int, Server]]:
    """A gateway served as `packtrace gateway run` does it; the port with TLS."""
    plain, secure = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    port = secure.getsockname()[1]
    server = Server(app, [Tls.load(secure, files.certificate, files.key)])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [plain]})
    thread.start()
    while len(getattr(server, "servers", ())) < 2:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield port, server
    finally:
        server.should_exit = True
        thread.join()


def test_a_phone_with_the_authority_installed_believes_every_name(files: Files) -> None:
    issued = issue(files, "Pharmacy", NAMES)
    assert issued.made
    assert issued.names == (*NAMES, "localhost", "127.0.0.1")
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    for name in ("counter.lan", "localhost"):
        verifier = PolicyBuilder().store(Store([authority])).build_server_verifier(x509.DNSName(name))
        assert verifier.verify(leaf, [])[0] == leaf
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < timedelta(days=398)


def test_keys_are_their_owners_alone(files: Files) -> None:
    issue(files, "Pharmacy", NAMES)
    for file in (files.key, files.authority_key):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


def test_a_certificate_without_its_key_is_made_anew(files: Files) -> None:
    """As after an end between the writing of the two files."""
    issue(files, "Pharmacy", NAMES)
    key = files.key.read_bytes()
    assert not issue(files, "Pharmacy").made
    for broken in (files.authority_key.read_bytes(), b"", None):
        files.key.write_bytes(broken) if broken is not None else files.key.unlink()
        assert issue(files, "Pharmacy").made
        Tls.load(socket.socket(), files.certificate, files.key)
    assert files.key.read_bytes() != key


def test_what_the_stolen_authority_signs_for_other_names_is_refused(files: Files) -> None:
    """The authority is limited to the names that it was made for, for those who look, and here too."""
    issue(files, "Pharmacy", NAMES)
    with pytest.raises(CertificateError, match="made for other names"):
        issue(files, "Pharmacy", ("bank.example",))
    constraints = x509.load_pem_x509_certificate(files.authority.read_bytes()).extensions.get_extension_for_class(
        x509.NameConstraints
    )
    assert constraints.critical
    assert len(constraints.value.permitted_subtrees or ()) == 4


def test_a_certificate_is_renewed_a_month_before_its_end_and_not_before(files: Files) -> None:
    start = datetime.now(UTC)
    first = issue(files, "Pharmacy", NAMES, now=start)
    assert not issue(files, "Pharmacy", NAMES, now=start + timedelta(days=SERVER_DAYS - RENEW_DAYS - 1)).made
    later = issue(files, "Pharmacy", now=start + timedelta(days=SERVER_DAYS - RENEW_DAYS + 1))
    assert later.made
    assert (later.fingerprint, later.names) == (first.fingerprint, first.names), "phones keep the authority they have"
    with pytest.raises(CertificateError, match="authority itself ends"):
        issue(files, "Pharmacy", now=start + timedelta(days=3650 - RENEW_DAYS + 1))


@pytest.mark.parametrize("name", ["", "a b", "http://counter.lan", "-x", "1.2.3", "x" * 64, "*.lan", "ä.lan"])
def test_what_is_no_name_is_refused(files: Files, name: str) -> None:
    with pytest.raises(CertificateError, match="neither a host's name nor"):
        issue(files, "Pharmacy", (name,))
    assert not files.folder.exists()


def test_the_gateway_serves_tls_beside_plain_http(app: FastAPI, files: Files) -> None:
    issue(files, "Pharmacy")
    with served(app, files) as (port, _), httpx.Client(verify=trusting(files)) as client:
        assert client.get(f"https://127.0.0.1:{port}/health").status_code == 200
        assert client.get(f"https://localhost:{port}/verify").status_code == 401
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://127.0.0.1:{port}/health")  # who does not have the authority believes nothing


def test_a_renewed_certificate_is_taken_without_a_restart(
    app: FastAPI, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "CERTIFICATE_SECONDS", 1)
    issue(files, "Pharmacy")
    with served(app, files) as (port, _):
        before = shown(port)
        issue(files, "Pharmacy", now=datetime.now(UTC) + timedelta(days=SERVER_DAYS - 5))
        until(lambda: shown(port) != before)
        files.certificate.write_text("nonsense")  # the server goes on with what it has
        os.utime(files.certificate)
        time.sleep(1.5)
        assert shown(port)


def test_a_connection_that_never_speaks_tls_is_cut(app: FastAPI, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 1)
    issue(files, "Pharmacy")
    with served(app, files) as (port, _), socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
        assert silent.recv(1) == b""


@pytest.mark.parametrize("broken", ["certificate", "key"])
def test_a_file_that_is_missing_says_what_makes_it(files: Files, broken: str) -> None:
    issue(files, "Pharmacy")
    getattr(files, broken).unlink()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(CertificateError, match="gateway certificate"),
    ):
        Tls.load(listener, files.certificate, files.key)


def trusting(files: Files) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files.authority))


def shown(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port))


def until(what: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not what():
        assert time.monotonic() < limit
        time.sleep(0.1)
