"""`packtrace demo` and `packtrace up`."""

import signal
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from packtrace_gateway import keys
from packtrace_gateway.demo.companies import PHARMACY_A
from packtrace_gateway.demo.day import play
from packtrace_gateway.demo.network import Network
from packtrace_gateway.demo.story import Story

app = typer.Typer()

FolderOption = Annotated[
    Path | None, typer.Option(help="Where everything is put; must be empty. Without it, a fresh temporary folder.")
]


@app.command()
def demo(
    folder: FolderOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running afterwards, to try by hand.")] = False,
    units: Annotated[int, typer.Option(min=1_000, max=100_000, help="Packs in the lot.")] = 10_000,
) -> None:
    """One pack's journey through a small supply chain on this machine, and all that can go wrong on the way."""
    console = Console(highlight=False)
    _end_as_by_ctrl_c()
    with Network(_empty(folder)) as network:
        play(network, console, units)
        if keep:
            _print_addresses(network, console)
            _until_interrupted(console)


@app.command()
def up(folder: FolderOption = None) -> None:
    """Start the devnet and the demo's gateways, empty, and leave them running, to try things by hand."""
    console = Console(highlight=False)
    _end_as_by_ctrl_c()
    with Network(_empty(folder)) as network:
        Story(network, console, 0).set_up()
        _print_addresses(network, console)
        _until_interrupted(console)


def _empty(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="packtrace-"))
    if folder.exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty; name an empty or a new folder")
    return folder.absolute()


def _end_as_by_ctrl_c() -> None:
    """Asked to stop, or with its terminal closed, the program takes along the gateways that it started."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a shell's background job ignores the first; Windows lacks the last
        if number := getattr(signal, name, None):
            signal.signal(number, end)


def _print_addresses(network: Network, console: Console) -> None:
    """One fact a line, never cut: these are for copying."""

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    say(f"\nnode        {network.devnet.url} (chain {network.devnet.chain_id})")
    say(f"deployment  {network.deployment_file}")
    authority = network.devnet.accounts[0]
    say(f"authority   {authority.address}, its key 0x{bytes(authority.key).hex()} (docs/governance.md)")
    say(f"phone page  {network.page_origin}/phone/ ({PHARMACY_A.name}; trusts: its folder's tls/authority.crt)")
    for running in network.gateways.values():
        company = running.company
        say(f"\n[bold]{company.name}[/bold], party {company.party}, GLN {company.gln}")
        say(f"  gateway   {running.client.url}")
        say(f"  API key   {running.api_key}")
        for purpose, address in keys.addresses(running.settings):
            say(f"  {purpose:<9} {address}")
    say(f"\nFolders and logs are in {network.folder}. Each API's pages are at /docs, the API key as the password.")


def _until_interrupted(console: Console) -> None:
    console.print("Running. Ctrl-C ends it.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Stopping.")
