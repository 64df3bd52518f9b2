"""`packtrace devnet`: a devnet of one's own, until it is stopped."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from packtrace.errors import ChainError
from packtrace_gateway.devnet import CHAIN_ID, Devnet

LOOK_INTERVAL = 1.0
"""Seconds between two looks whether the node still runs."""

app = typer.Typer()


@app.command()
def devnet(
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where its chain, accounts and log are kept.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    block_time: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="A block so often; without it, one a transaction.")
    ] = None,
    chain_id: Annotated[int, typer.Option(min=1, help="Chain id of a new devnet.")] = CHAIN_ID,
) -> None:
    """Run a local Ethereum devnet that keeps its chain in DIR, until Ctrl-C."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with Devnet(folder, port=port, block_time=block_time, chain_id=chain_id) as running:
        typer.echo(f"Devnet {running.chain_id} at {running.url}; its chain is kept in {folder}. Ctrl-C stops it.")
        for account in running.accounts:
            typer.echo(f"  {account.address}  0x{bytes(account.key).hex()}")
        while not over.wait(LOOK_INTERVAL):
            if not running.running:
                raise ChainError(f"the devnet ended by itself; see its log {running.log_file}", field="devnet")
    typer.echo("Stopped; no block is lost.")
