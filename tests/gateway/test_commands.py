"""`packtrace gateway` as a person runs it: real processes, real signals."""

import contextlib
import hashlib
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from packtrace.errors import PacktraceError
from packtrace_gateway import settings
from packtrace_gateway.commands import app
from packtrace_gateway.db import Database
from packtrace_gateway.keys import KeyRing

PROGRAM = [sys.executable, "-c", "from packtrace.cli import main; main()", "gateway"]
KEY = re.compile(r"pt_\w{8}_[\w-]{43}")


def packtrace(*arguments: str | Path, **environ: str) -> Result:
    """The command, run in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environ)


def refused(result: Result) -> str:
    """What the person is told: one line, however the terminal breaks it."""
    assert isinstance(result.exception, PacktraceError), result.output
    return str(result.exception)


def init(folder: Path, network: Path, **changed: Any) -> Result:
    options: dict[str, Any] = {
        "party": 12,
        "company": 10,
        "name": 'Apotheke "am Markt"',
        "gln": "4012345000009",
        "deployment": network,
        "node": "http://127.0.0.1:9",
        "port": 0,
    } | changed
    return packtrace("init", folder, *(part for name, value in options.items() for part in (f"--{name}", str(value))))


@pytest.fixture
def made(tmp_path: Path, deployment_file: Path) -> tuple[Path, str]:
    """A gateway's folder, made by the command, and the first admin's API key."""
    folder = tmp_path / "pharmacy"
    result = init(folder, deployment_file)
    assert result.exit_code == 0, result.output
    found = KEY.findall(result.stdout)
    assert len(found) == 1
    return folder, found[0]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*PROGRAM, "run", str(folder)], stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout
    try:
        line = process.stdout.readline()
        found = re.search(r"listens on (http://\S+)", line)
        assert found, line + (folder / "log").read_text()
        with httpx.Client(base_url=found[1], timeout=10) as client:
            until_healthy(client)
            yield process, client
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def until_healthy(client: httpx.Client) -> None:
    for _ in range(500):
        with contextlib.suppress(httpx.TransportError):
            if client.get("/health").status_code == 200:
                return
        time.sleep(0.02)
    raise AssertionError("the gateway did not become healthy")


def test_init_makes_a_complete_private_gateway(made: tuple[Path, str]) -> None:
    folder, key = made
    loaded = settings.load(folder, {})
    assert (loaded.name, loaded.party) == ('Apotheke "am Markt"', 12)
    ring = KeyRing.load(loaded)
    assert ring.has("operate")
    assert ring.has("relayer")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("gateway.toml", "gateway.db", "keystore/passphrase", "keystore/operate.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    assert {path.name for path in folder.iterdir()} == {"gateway.toml", "gateway.db", "deployment.json", "keystore"}
    assert not any(key.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_init_makes_the_keys_that_are_asked_for_and_prints_their_addresses(
    tmp_path: Path, deployment_file: Path
) -> None:
    result = packtrace(
        *("init", tmp_path / "mah", "--party", "1", "--company", "1", "--name", "MAH", "--gln", "4012345000009"),
        *("--deployment", deployment_file, "--purpose", "manage", "--purpose", "quality"),
    )
    printed = dict(re.findall(r"signing key (\w+): (0x\w{40})", result.stdout))
    ring = KeyRing.load(settings.load(tmp_path / "mah", {}))
    assert printed == {purpose: ring.account(purpose).address for purpose in ("manage", "quality")}


def test_a_gateway_runs_without_its_node_and_stops_cleanly(made: tuple[Path, str]) -> None:
    folder, key = made
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with running(folder) as (process, client):
        assert client.get("/health").json()["database"] == "ok"
        assert client.get("/keys", headers=headers).status_code == 200
        # A library below eth-account raises Python's recursion limit; this then killed the process (SIGSEGV).
        for body in (b"[" * 1_000_000, b'{"a":' * 200_000, b"[" * 10_000_000):
            started = time.monotonic()
            answer = client.post("/keys", content=body, headers=headers)
            assert answer.status_code in (400, 413)
            assert answer.headers["content-type"] == "application/problem+json"
            assert time.monotonic() - started < 5
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
    log = (folder / "log").read_text()
    assert "starting without the chain" in log
    assert "Traceback" not in log
    assert not (folder / "gateway.db-wal").exists(), "the database was closed"
    assert key not in log


def test_a_refusal_on_the_terminal_is_one_line_and_status_1(tmp_path: Path) -> None:
    result = subprocess.run([*PROGRAM, "run", tmp_path / "nowhere"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("packtrace: ")
    assert "packtrace gateway init" in result.stderr


def test_a_killed_gateway_starts_again(made: tuple[Path, str]) -> None:
    folder, key = made
    headers = {"Authorization": f"Bearer {key}"}
    with running(folder) as (process, client):
        assert client.post("/keys", headers=headers, json={"name": "kept", "roles": ["line"]}).status_code == 201
        process.kill()
    with running(folder) as (_process, client):
        assert [row["name"] for row in client.get("/keys", headers=headers).json()].count("kept") == 1


def test_keys_are_added_listed_and_revoked_while_the_gateway_runs(made: tuple[Path, str]) -> None:
    folder, _key = made
    with running(folder) as (_process, client):
        added = packtrace("key", "add", folder, "line 1", "--role", "line", "--role", "quality")
        text = KEY.findall(added.stdout)[0]
        headers = {"Authorization": f"Bearer {text}"}
        assert client.get("/serials/policies", headers=headers).status_code == 200
        listed = packtrace("key", "list", folder, COLUMNS="120").stdout
        key_id = text.split("_")[1]
        assert key_id in listed
        assert "line,quality" in listed
        assert text not in listed
        assert packtrace("key", "revoke", folder, key_id).exit_code == 0
        assert client.get("/serials/policies", headers=headers).status_code == 401
    assert "no such API key" in refused(packtrace("key", "revoke", folder, "nosuchid"))


def test_signers_are_added_and_listed(made: tuple[Path, str]) -> None:
    folder, _key = made
    added = packtrace("signer", "add", folder, "line")
    address = re.findall(r"0x\w{40}", added.stdout)[0]
    assert f"line: {address}" in packtrace("signer", "list", folder).stdout.splitlines()


def test_the_gln_commitment_that_the_authority_registers_is_printed(tmp_path: Path, deployment_file: Path) -> None:
    printed = init(tmp_path / "pharmacy", deployment_file).stdout.splitlines()
    loaded = settings.load(tmp_path / "pharmacy", {})
    tagged = b"packtrace/gln/v1" + bytes.fromhex(loaded.gln_salt) + loaded.gln.encode()  # docs/proofs.md
    wanted = f"GLN commitment: {hashlib.sha256(tagged).hexdigest()}"
    assert wanted in printed
    assert wanted in packtrace("signer", "list", tmp_path / "pharmacy").stdout.splitlines()


def test_the_settings_are_printed_as_documented() -> None:
    assert packtrace("settings").stdout == settings.table()


def test_init_refuses_a_folder_that_has_a_gateway(made: tuple[Path, str], deployment_file: Path) -> None:
    assert "has a gateway already" in refused(init(made[0], deployment_file))


def test_an_init_that_was_cut_off_is_made_good_by_the_next(
    tmp_path: Path, deployment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The addresses that it prints are those of the keys that the gateway then signs with."""
    folder = tmp_path / "pharmacy"
    with monkeypatch.context() as disk:
        disk.setattr(Database, "migrate", lambda _self: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert isinstance(init(folder, deployment_file).exception, OSError)
    assert not (folder / "gateway.toml").exists()
    printed = dict(re.findall(r"signing key (\w+): (0x\w{40})", init(folder, deployment_file).stdout))
    ring = KeyRing.load(settings.load(folder, {}))
    assert printed == {purpose: ring.account(purpose).address for purpose in ("operate", "relayer")}
    assert len(list((folder / "keystore").glob("*.json"))) == 2


def test_what_the_disk_refuses_is_one_line_on_the_terminal(tmp_path: Path, deployment_file: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    options = ("--party", "1", "--company", "1", "--name", "x", "--gln", "4012345000009", "--deployment")
    command = [*PROGRAM, "init", str(tmp_path / "file" / "pharmacy"), *options, str(deployment_file)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr.startswith("packtrace: ")
    assert result.stderr.count("\n") == 1
    assert "Not a directory" in result.stderr


def test_a_log_of_every_level_tells_no_token_of_the_node(made: tuple[Path, str]) -> None:
    folder, _key = made
    file = folder / "gateway.toml"
    text = file.read_text().replace("http://127.0.0.1:9", "http://127.0.0.1:9/v3/token-of-the-node")
    file.write_text(text + '\nlog_level = "debug"\n')
    with running(folder) as (_process, client):
        for _ in range(3):
            assert client.get("/health").status_code == 200
        time.sleep(1)
    log = (folder / "log").read_text()
    assert "127.0.0.1:9" in log
    assert "token-of-the-node" not in log
    assert "alembic" not in log, "health is open: nobody may fill the log with it"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gln": "4012345000008"}, "gln:"),
        ({"party": 0}, "party:"),
        ({"node": "127.0.0.1"}, "node:"),
        ({"deployment": "/nonexistent"}, "/nonexistent"),
    ],
)
def test_init_refuses_and_leaves_nothing(
    tmp_path: Path, deployment_file: Path, changed: dict[str, Any], message: str
) -> None:
    assert message in refused(init(tmp_path / "pharmacy", deployment_file, **changed))
    assert not (tmp_path / "pharmacy").exists()


def test_run_says_in_one_line_what_is_wrong(made: tuple[Path, str], tmp_path: Path) -> None:
    folder, _key = made
    assert "packtrace gateway init" in refused(packtrace("run", tmp_path / "nowhere"))
    assert "the passphrase does not open" in refused(packtrace("run", folder, PACKTRACE_PASSPHRASE="something else"))
    assert "port" in refused(packtrace("run", folder, PACKTRACE_PORT="many"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(packtrace("run", folder, PACKTRACE_PORT=port))
        assert f"cannot listen on 127.0.0.1:{port}" in said
        assert "choose another port" in said
    elsewhere = refused(packtrace("run", folder, PACKTRACE_HOST="192.0.2.1", PACKTRACE_PORT="0"))
    assert "give an address of this machine" in elsewhere
    (folder / "deployment.json").write_text("{}")
    assert "deployment" in refused(packtrace("run", folder))


def test_run_refuses_a_database_that_was_not_migrated(made: tuple[Path, str]) -> None:
    folder, _key = made
    (folder / "gateway.db").unlink()
    assert "packtrace gateway migrate" in refused(packtrace("run", folder))
    assert packtrace("migrate", folder).exit_code == 0
    Database(settings.load(folder, {}).database_url).check_schema()


def test_run_refuses_a_node_of_another_chain(made: tuple[Path, str], another_chain: str) -> None:
    assert "is on chain 99, the deployment on chain 31337" in refused(
        packtrace("run", made[0], PACKTRACE_NODE=another_chain)
    )


@pytest.fixture
def another_chain() -> Iterator[str]:
    """A real node (Anvil) whose chain has another number."""
    from packtrace_gateway.devnet import find_anvil

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(find_anvil()), "--chain-id", "99", "--port", str(port), "--silent"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
        for _ in range(500):
            with contextlib.suppress(httpx.TransportError):
                httpx.post(url, content=json.dumps(question), headers={"content-type": "application/json"})
                break
            time.sleep(0.02)
        yield url
        process.kill()
