"""`packtrace contracts`: put the contracts on a network, check what is there, prove a duplicate, build them."""

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from packtrace.chain.policy import USUAL, Delays
from packtrace.errors import ChainError, EvidenceError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from packtrace.commit.disclosure import Disclosure
    from packtrace.scan import Scan

# web3 and the compiler take a second to load: only a command that needs them does so.

MAX_DELAY = 2**32 - 1  # seconds, as the AccessManager holds them
PASSPHRASE_VARIABLE = "PACKTRACE_PASSPHRASE"  # noqa: S105 (a variable's name)

app = typer.Typer(no_args_is_help=True, help="The contracts on a network: deploy, verify, prove a duplicate, build.")

Rpc = Annotated[str, typer.Option("--rpc", metavar="URL", help="JSON-RPC address of a node of the network.")]


@app.command()
def deploy(
    rpc: Rpc,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the deployment file.")],
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="KEYSTORE",
            help=f"The paying account's key (Web3 secret storage), opened with {PASSPHRASE_VARIABLE} or a prompt.",
        ),
    ] = None,
    private_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable that holds the paying account's private key."),
    ] = None,
    admin: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The licensing authority's account; the paying one without it."),
    ] = None,
    grant_delay: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            min=0,
            max=MAX_DELAY,
            help="How long what gives authority (parties, licences, keys, products) is announced before it counts.",
        ),
    ] = USUAL.grants,
    governance_delay: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            min=0,
            max=MAX_DELAY,
            help="The same for what changes these rules, or ends a contract.",
        ),
    ] = USUAL.governance,
) -> None:
    """Put the contracts on the network behind --rpc, and write the deployment file that everybody needs."""
    from packtrace.chain.deploy import deploy as put
    from packtrace.chain.node import Node

    if out.exists():
        raise ChainError("there is a deployment file already; choose another name", field="--out", value=str(out))
    if not out.resolve().parent.is_dir():
        raise ChainError("there is no such folder", field="--out", value=str(out.parent))
    account = _account(key_file, private_key_env)
    with Console(stderr=True).status("Sending the contracts; the next blocks will include them."):
        made = put(Node(rpc), account, admin or account.address, Delays(grant_delay, governance_delay))
    made.save(out)
    for name, address in made.contracts.items():
        typer.echo(f"{name:<14} {address}")
    typer.echo(f"Chain {made.chain_id}, block {made.block}; the deployment file is {out}.")


@app.command()
def verify(
    rpc: Rpc,
    deployment: Annotated[Path, typer.Option("--deployment", metavar="FILE", help="The network's deployment file.")],
) -> None:
    """Compile the sources again and compare them with the code at the deployed addresses, byte by byte."""
    from packtrace.chain.deployment import Deployment
    from packtrace.chain.node import Node
    from packtrace.chain.verify import verify as compare

    contracts = Deployment.load(deployment)
    node = Node(rpc)
    node.check(contracts)
    with Console(stderr=True).status("Compiling the contracts; this takes a minute."):
        findings = compare(node, contracts)
    for finding in findings:
        typer.echo(f"{finding.contract:<14} {finding.address}  {finding.detail}")
    wrong = [finding.contract for finding in findings if not finding.matches]
    if wrong:
        raise ChainError(
            "the code on chain is not the packaged sources'; do not use this deployment, and ask who made it",
            field=", ".join(wrong),
        )


@app.command()
def prove_duplicate(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="A gateway's answer about the pack, with its proofs.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="Another's, about the other pack with this code.")],
    gtin: Annotated[str, typer.Option(metavar="GTIN", help="GTIN of both packs.")],
    serial: Annotated[str, typer.Option(metavar="SERIAL", help="Serial number of both packs.")],
    rpc: Rpc,
    deployment: Annotated[Path, typer.Option("--deployment", metavar="FILE", help="The network's deployment file.")],
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="KEYSTORE",
            help=f"The paying account's key (Web3 secret storage), opened with {PASSPHRASE_VARIABLE} or a prompt.",
        ),
    ] = None,
    private_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable that holds the paying account's private key."),
    ] = None,
) -> None:
    """Prove on chain that two packs have one serial: both are flagged, and the serial becomes public.

    FIRST and SECOND are what two gateways answered to `POST /verify?material=true`. Anybody can prove it; the account
    pays, and needs no licence.
    """
    from packtrace.chain.contracts import encode_call
    from packtrace.chain.deployment import Deployment
    from packtrace.chain.node import Node
    from packtrace.chain.transactions import Message, send
    from packtrace.duplicate import prove
    from packtrace.facts import batch_of_unit, index_of_unit
    from packtrace.gs1 import keys
    from packtrace.scan import Scan

    scan = Scan(keys.gtin(gtin), keys.serial(serial))
    contracts = Deployment.load(deployment)
    proof = prove(scan, *(_pedigree(file, contracts.network, scan) for file in (first, second)))
    node = Node(rpc)
    node.check(contracts)
    data = encode_call("PackLedger", "proveDuplicate", list(proof))
    sent = send(node, _account(key_file, private_key_env), Message(contracts.address("PackLedger"), data))
    for opening in (proof.unit, proof.twin):
        place = f"number {index_of_unit(opening.unit)} of batch {batch_of_unit(opening.unit)}"
        typer.echo(f"{proof.uri.decode()} is {place}")
    new = any(event.event == "DuplicateProven" for event in sent.events(contracts))
    typer.echo(f"Both are flagged since block {sent.block_number}." if new else "That was proven before.")


def _pedigree(file: Path, network: str, scan: "Scan") -> "tuple[Disclosure, ...]":
    """The disclosures in a gateway's answer."""
    from packtrace.material import Material

    try:
        answer = json.loads(file.read_bytes())
        return Material.from_json(answer.get("material", answer), network, scan).disclosures
    except OSError as error:
        raise EvidenceError(f"the file cannot be read: {error.strerror}", field=str(file)) from error
    except (ValueError, AttributeError, RecursionError, EvidenceError) as error:
        raise EvidenceError(
            "this is not a gateway's answer about this pack with its proofs; ask with POST /verify?material=true",
            field=str(file),
            value=error.message if isinstance(error, EvidenceError) else None,
        ) from error


@app.command()
def build() -> None:
    """Compile the contracts of a checkout into the packaged artifacts (for who changes them)."""
    from packtrace.chain.solc_wrapper import home, node_program

    base = home()
    if base is None:
        raise ChainError("the contracts' sources are not here: this command needs a checkout of packtrace")
    status = subprocess.run([node_program(), "contracts/build.mjs"], cwd=base).returncode
    if status:
        raise ChainError("the contracts were not built; what the compiler said stands above", value=status)


def _account(key_file: Path | None, private_key_env: str | None) -> "LocalAccount":
    """The account that pays, from a keystore file or an environment variable; never from the command line."""
    from eth_account import Account

    if (key_file is None) == (private_key_env is None):
        raise ChainError("name the paying account's key by --key-file or by --private-key-env (one of them)")
    try:
        if private_key_env is not None:
            key = os.environ.get(private_key_env)
            if not key:
                raise ChainError(
                    "this environment variable is not set", field="--private-key-env", value=private_key_env
                )
            account: LocalAccount = Account.from_key(key)
            return account
        assert key_file is not None
        passphrase = os.environ.get(PASSPHRASE_VARIABLE) or typer.prompt(f"Passphrase of {key_file}", hide_input=True)
        opened: LocalAccount = Account.from_key(Account.decrypt(key_file.read_text(), passphrase))
        return opened
    except OSError as error:
        raise ChainError(f"the key file cannot be read: {error.strerror}", field=str(key_file)) from error
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        where = str(key_file or private_key_env)
        raise ChainError("no key could be read from this (is the passphrase right?)", field=where) from error
