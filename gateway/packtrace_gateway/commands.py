"""`packtrace gateway`: make, run and look after a gateway."""

import errno
import logging
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from packtrace.chain.deployment import Deployment
from packtrace.product import gln_commitment
from packtrace_gateway import certificates, keys, rotation, settings
from packtrace_gateway.access.models import Role
from packtrace_gateway.access.service import AccessService
from packtrace_gateway.app import create_app
from packtrace_gateway.db import Database
from packtrace_gateway.keeping import commands as keeping
from packtrace_gateway.keys import Purpose
from packtrace_gateway.outbox.models import State
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.phone.files import has_reader
from packtrace_gateway.serving import Server, Tls
from packtrace_gateway.settings import Settings, SettingsError

# Below warnings they tell of every request, with URLs that may hold an access token, and of every look at the schema.
CHATTY = ("alembic", "httpcore", "httpx", "urllib3", "web3")

LOOK_SECONDS = 0.5  # between two looks at a call

app = typer.Typer(no_args_is_help=True, help="Run a company's gateway.")
key_app = typer.Typer(no_args_is_help=True, help="API keys: who may call this gateway.")
signer_app = typer.Typer(no_args_is_help=True, help="Signing keys: what the party signs on chain with.")
app.registered_commands += keeping.app.registered_commands
app.add_typer(key_app, name="key")
app.add_typer(signer_app, name="signer")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The gateway's folder.")]


@app.command()
def init(
    folder: Folder,
    party: Annotated[int, typer.Option(help="Number of the premises in the party registry.")],
    company: Annotated[int, typer.Option(help="Party number of its company.")],
    name: Annotated[str, typer.Option(help="Name of the premises.")],
    gln: Annotated[str, typer.Option(help="Global Location Number of the premises.")],
    deployment: Annotated[Path, typer.Option(help="Deployment file of the network; it is copied into DIR.")],
    node: Annotated[str, typer.Option(help="JSON-RPC URL of an Ethereum node.")] = "http://127.0.0.1:8545",
    public_places: Annotated[
        bool, typer.Option(help="Read points of events here travel with the goods (not for a dispenser).")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    endpoint: Annotated[str | None, typer.Option(help="Base URL under which partners reach it.")] = None,
    purpose: Annotated[
        list[Purpose] | None, typer.Option(help="Make a signing key for this (repeatable; operate and relayer).")
    ] = None,
) -> None:
    """Make a gateway's folder: settings, signing keys, database, and the first admin's API key (printed once).

    Keys that are there already are taken: they were brought along, or are of an `init` that was cut off.
    """
    file = folder / settings.FILE_NAME
    if file.exists():
        raise SettingsError(f"{folder} has a gateway already; choose another folder")
    contracts = Deployment.load(deployment)
    values = {
        "party": party,
        "company": company,
        "name": name,
        "gln": gln,
        "gln_salt": secrets.token_hex(16),
        "public_places": public_places,
        "host": host,
        "port": port,
        "endpoint": endpoint,
        "node": node,
    }
    made = settings.from_values(values, folder=folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made.keystore.mkdir(exist_ok=True, mode=0o700)
    contracts.save(made.deployment)
    keys.make_passphrase(made)
    signers = keys.ensure_keys(made, purpose or [Purpose.OPERATE, Purpose.RELAYER])
    with _migrated(made) as access:
        _row, text = access.create("first admin", [Role.ADMIN])
    # Last, so that a folder with a settings file is complete.
    keys.write_secret(file, settings.to_toml(values).encode())
    print(f"gateway of {name} made in {folder}")
    print(f"GLN commitment: {_commitment(made)}")
    for wanted, address in signers:
        print(f"signing key {wanted}: {address}")
    print(f"API key of the first admin (shown this once): {text}")


@app.command()
def run(folder: Folder) -> None:
    """Run the gateway until it is asked to stop (SIGTERM or Ctrl-C)."""
    loaded = settings.load(folder)
    logging.basicConfig(
        level=loaded.log_level.upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for library in CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)
    web = create_app(loaded)
    listener = _listen(loaded.host, loaded.port, "port")
    tls = []
    if loaded.tls_port is not None:
        secure = _listen(loaded.tls_host, loaded.tls_port, "tls_port")
        tls.append(Tls.load(secure, loaded.tls_certificate, loaded.tls_key))
    print(f"gateway of {loaded.name} listens on {_address('http', listener)}", flush=True)
    for entry in tls:
        print(f"the phone page is at {_address('https', entry.listener)}/phone/", flush=True)
    if tls and not has_reader():
        print("its barcode reader, zxing-wasm, is missing: codes have to be typed there (docs/phone.md)", flush=True)
    Server(web, tls).run(sockets=[listener])


@app.command()
def certificate(
    folder: Folder,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A name or address of this machine, as phones will call it (repeatable)."),
    ] = None,
) -> None:
    """Make the certificate for the phone page, or renew it; the first time, the authority that phones install, too.

    Run it again any time, from a timer for example: it does nothing as long as the certificate is good for a month.
    """
    loaded = settings.load(folder)
    files = certificates.Files(loaded.folder / "tls")
    issued = certificates.issue(files, loaded.name, name or ())
    word = "made" if issued.made else "still good"
    print(f"certificate for {', '.join(issued.names)}: {word}, until {issued.until:%Y-%m-%d}")
    print(f"phones install {files.authority}, SHA-256 fingerprint")
    print(f"  {issued.fingerprint}")
    if loaded.tls_port is None:
        print(f"To serve the page, set tls_port and tls_host in {settings.FILE_NAME}, and start the gateway again.")


@app.command()
def migrate(folder: Folder) -> None:
    """Bring the gateway's database to this program's schema. Back it up first."""
    loaded = settings.load(folder)
    with _migrated(loaded):
        print(f"{loaded.database_url} is up to date")


@app.command("settings")
def show_settings() -> None:
    """Print what can be set in gateway.toml, as in docs/settings.md."""
    print(settings.table(), end="")


@key_app.command("add")
def key_add(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="The user or device that gets the key.")],
    role: Annotated[list[Role], typer.Option(help="What the key may do (repeatable).")],
) -> None:
    """Make an API key and print it, this once."""
    with _opened(settings.load(folder)) as access:
        row, text = access.create(name, role)
    print(f"API key {row.id} of {row.name} ({row.roles}), shown this once: {text}")


@key_app.command("list")
def key_list(folder: Folder) -> None:
    """List all API keys, without their secrets."""
    table = Table("id", "name", "roles", "last used", "revoked")
    with _opened(settings.load(folder)) as access:
        for row in access.all_keys():
            table.add_row(row.id, row.name, row.roles, _time(row.last_used_at), _time(row.revoked_at))
    Console().print(table)


@key_app.command("revoke")
def key_revoke(folder: Folder, key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")]) -> None:
    """Revoke an API key; it opens nothing from now on."""
    with _opened(settings.load(folder)) as access:
        row = access.revoke(key_id)
    print(f"API key {row.id} of {row.name} is revoked")


@signer_app.command("add")
def signer_add(folder: Folder, purpose: Purpose) -> None:
    """Make a signing key; the licensing authority must register its address before it counts."""
    address, file = keys.add_key(settings.load(folder), purpose)
    print(f"signing key {purpose}: {address} (in {file})")


@signer_app.command("list")
def signer_list(folder: Folder) -> None:
    """List the addresses of the signing keys, and the GLN's commitment: what the licensing authority registers."""
    loaded = settings.load(folder)
    for purpose, address in keys.addresses(loaded):
        print(f"{purpose}: {address}")
    print(f"GLN commitment: {_commitment(loaded)}")


@app.command("rotate-key")
def rotate_key(
    folder: Folder,
    key: Annotated[Purpose, typer.Option(help="Purpose of the key that is exchanged.")],
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait until it is final.")] = 600,
) -> None:
    """Exchange a signing key for a new one: both sign, and the gateway uses the new one once the chain has it.

    The gateway must run, or carries it out when it runs next. Cut off at any moment, run it again: it goes on.
    """
    loaded = settings.load(folder)
    database = Database(loaded.database_url)
    try:
        database.check_schema()
        number, old, new = rotation.start(loaded, database, key)
        print(f"{key}: {old} is exchanged for {new} (call {number} of the outbox)", flush=True)
        state = _followed(Outbox(database), number, wait)
    finally:
        database.close()
    if state is not State.FINAL:
        print(f"it is {state}; the gateway goes on with it. Run this again to wait for its end.")
    elif key is Purpose.QUALITY:
        print("Have the holder of the marketing authorisation authorise the new key; the old one's ended with it.")


def _followed(outbox: Outbox, number: int, seconds: int) -> State:
    """Wait for the end of a call, saying how far it is; raises KeystoreError where the chain refused it."""
    limit, told = time.monotonic() + seconds, State.QUEUED
    while True:
        row = outbox.row(number)
        if row.state is State.REVERTED:
            raise keys.KeystoreError(f"the chain refused the exchange, the old key stays: {row.error_text}")
        if row.state is not told:
            told = row.state
            print(f"{told}{': the new key signs from now on' if told is State.INCLUDED else ''}", flush=True)
        if row.state is State.FINAL or time.monotonic() > limit:
            return row.state
        time.sleep(LOOK_SECONDS)


@contextmanager
def _opened(loaded: Settings) -> Iterator[AccessService]:
    database = Database(loaded.database_url)
    try:
        database.check_schema()
        yield AccessService(database)
    finally:
        database.close()


@contextmanager
def _migrated(loaded: Settings) -> Iterator[AccessService]:
    database = Database(loaded.database_url)
    try:
        database.migrate()
        yield AccessService(database)
    finally:
        database.close()


def _commitment(loaded: Settings) -> str:
    return gln_commitment(bytes.fromhex(loaded.gln_salt), loaded.gln).hex()


def _time(unix: int | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(unix)) if unix else "-"


def _listen(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
        # asyncio does this only for sockets it made itself; without it every answer waits 40 ms for the caller's ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        advice = "choose another port, or stop what listens there"
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            advice = "give an address of this machine as the host"
        raise SettingsError(
            f"the gateway cannot listen on {host}:{port} ({error.strerror}); {advice}", field=setting, value=port
        ) from None


def _address(scheme: str, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
