"""Setting a small network up: devnet, contracts, gateways in processes of their own, who is who."""

import contextlib
import io
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from packtrace.chain.deploy import deploy
from packtrace.chain.deployment import Deployment
from packtrace.chain.registry import FOREVER, RegistryAdmin
from packtrace.errors import PacktraceError
from packtrace.gs1 import SerialPolicy
from packtrace.product import gln_commitment
from packtrace_gateway import certificates, commands, keys, settings
from packtrace_gateway.access.models import Role
from packtrace_gateway.access.service import AccessService
from packtrace_gateway.db import Database
from packtrace_gateway.demo.client import Client
from packtrace_gateway.demo.companies import AUTHORITY, COMPANIES, GTIN, MAKER, PHARMACY_A, PURPOSE_BITS, Company
from packtrace_gateway.devnet import Devnet
from packtrace_gateway.keys import Purpose
from packtrace_gateway.settings import Settings

START_PATIENCE = 60.0
RICH = 10**24  # wei for each relayer of the devnet


@dataclass(slots=True)
class Running:
    """One company's gateway: its folder, its process, and a client with a key of every role that its people have."""

    company: Company
    settings: Settings
    client: Client
    api_key: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        return self.settings.folder

    def start(self) -> None:
        """Start the gateway's process; `wait_until_healthy` says when it serves."""
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "packtrace.cli", "gateway", "run", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while not self.client.healthy():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise PacktraceError(
                    f"the gateway of {self.company.name} did not start", value=str(self.folder / "gateway.log")
                )
            time.sleep(0.1)

    def kill(self) -> None:
        """As a power cut would (SIGKILL)."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            if self.process.poll() is None:
                self.process.kill()
            self.process = None


@dataclass(slots=True)
class Network:
    """The devnet and the gateways, set up in `folder`. Use as a context manager, or `start` and `stop` it."""

    folder: Path
    block_time: int = 1
    seal_every: float = 1.0
    companies: tuple[Company, ...] = COMPANIES
    gateways: dict[str, Running] = field(default_factory=dict)
    page_port: int = field(default_factory=lambda: _lasting_port())
    _devnet: Devnet | None = None
    _deployment: Deployment | None = None

    @property
    def devnet(self) -> Devnet:
        assert self._devnet is not None, "the network is not started"
        return self._devnet

    @property
    def deployment(self) -> Deployment:
        assert self._deployment is not None, "the network is not started"
        return self._deployment

    @property
    def page_origin(self) -> str:
        """Where the first pharmacy's gateway serves the phone page, with TLS."""
        return f"https://127.0.0.1:{self.page_port}"

    @property
    def deployment_file(self) -> Path:
        return self.folder / "deployment.json"

    @property
    def authority(self) -> RegistryAdmin:
        """The licensing authority's hand on the party registry: the devnet's first account."""
        return RegistryAdmin(self.devnet.node, self.deployment, self.devnet.accounts[0])

    def of(self, company: Company) -> Running:
        return self.gateways[company.slug]

    def start_chain(self) -> None:
        """The devnet, and the contracts on it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._devnet = Devnet(self.folder / "devnet", block_time=self.block_time, origin=self.page_origin).start()
        account = self.devnet.accounts[0]
        self._deployment = deploy(self.devnet.node, account, account.address)
        self.deployment.save(self.deployment_file)

    def make_gateway(self, company: Company) -> None:
        """A gateway's folder, keys, database, and an API key with the roles of the company's people."""
        folder = self.folder / company.slug
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        with contextlib.redirect_stdout(io.StringIO()):
            commands.init(
                folder,
                party=company.party,
                company=company.party,
                name=company.name,
                gln=company.gln,
                public_places=bool(company.public_name),
                deployment=self.deployment_file,
                node=self.devnet.url,
                port=port,
                endpoint=url,
                purpose=list(company.purposes),
            )
        file = folder / settings.FILE_NAME
        more = f"\nseal_every = {self.seal_every}\nregulator = {AUTHORITY.party}\n"
        if company is PHARMACY_A:
            certificates.issue(certificates.Files(folder / "tls"), company.name)
            more += f"tls_port = {self.page_port}\n"
        file.write_text(file.read_text() + more)
        loaded = settings.load(folder)
        database = Database(loaded.database_url)
        _, api_key = AccessService(database).create("demo", [*company.api_roles, Role.ADMIN])
        database.close()
        self.gateways[company.slug] = Running(company, loaded, Client(url, api_key), api_key)

    def register(self) -> None:
        """The authority registers every party and its keys, in one transaction."""
        authority = self.authority
        with authority.together():
            for running in self.gateways.values():
                company, own = running.company, running.settings
                authority.register_party(
                    company.party,
                    company=company.party,
                    roles=company.roles,
                    gln_commitment=gln_commitment(bytes.fromhex(own.gln_salt), own.gln),
                    name=company.public_name,
                    endpoint=own.endpoint or "",
                )
                for purpose, address in keys.addresses(own):
                    if purpose is not Purpose.RELAYER:
                        authority.add_key(company.party, address, PURPOSE_BITS[purpose])
        for running in self.gateways.values():
            for purpose, address in keys.addresses(running.settings):
                if purpose is Purpose.RELAYER:
                    self.devnet.fund(address, RICH)

    def start_gateways(self) -> None:
        for running in self.gateways.values():
            running.start()
        for running in self.gateways.values():
            running.wait_until_healthy()

    def introduce(self) -> None:
        """Trading partners tell each other their GLNs' salts."""
        for one in self.gateways.values():
            for other in self.gateways.values():
                if one is not other:
                    data = {
                        "party": other.company.party,
                        "salt": other.settings.gln_salt,
                        "name": other.company.name,
                    }
                    one.client.put(f"/partners/{other.settings.gln}", data)

    def set_up_product(self) -> None:
        """The maker sets its product up, the authority registers it, the maker authorises its line and its QP."""
        maker = self.of(MAKER)
        product = maker.client.post("/products", {"gtin": GTIN})
        policy = SerialPolicy()
        maker.client.put(f"/serials/policies/{GTIN}", {"length": policy.length, "alphabet": policy.alphabet})
        authority = self.authority
        authority.register_product(bytes.fromhex(product["productKey"]), MAKER.party)
        authority.list_gtin(bytes.fromhex(product["gtinHash"]), MAKER.party)
        quality = next(address for purpose, address in keys.addresses(maker.settings) if purpose is Purpose.QUALITY)
        rows = [
            maker.client.post(f"/products/{GTIN}/authorisations", body)["outbox"]
            for body in (
                {"line": MAKER.party, "until": FOREVER},
                {"quality": quality, "until": FOREVER},
            )
        ]
        for row in rows:
            maker.client.wait(f"/outbox/{row}", lambda answer: answer["state"] in ("included", "final"))

    def stop(self) -> None:
        for running in self.gateways.values():
            running.stop()
        if self._devnet is not None:
            self._devnet.stop()

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _lasting_port() -> int:
    """A free port outside the range that outgoing connections take theirs from: it is still free a while later."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scanner_config(network: Network, running: Running, file: Path) -> Path:
    """The configuration of a scanner at this company's counter: its gateway, and a node that its people chose."""
    file.write_text(
        f'gateway = "{running.client.url}"\n'
        f'api_key_file = "{file.with_suffix(".key")}"\n'
        f'node = "{network.devnet.url}"\n'
        f'deployment = "{network.deployment_file}"\n'
        f"place = {running.company.party}\n"
    )
    key = file.with_suffix(".key")
    key.write_text(running.api_key + "\n")
    os.chmod(key, 0o600)
    return file
