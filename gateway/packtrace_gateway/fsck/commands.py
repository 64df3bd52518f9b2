"""`packtrace fsck`."""

from pathlib import Path
from typing import Annotated

import typer

from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.nodes import Nodes
from packtrace_gateway import settings
from packtrace_gateway.db import Database
from packtrace_gateway.fsck.check import fsck as check
from packtrace_gateway.fsck.report import Checked

DIFFERENT = 1

app = typer.Typer()


@app.command()
def fsck(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The gateway's folder.")],
    node: Annotated[
        str | None, typer.Option(help="JSON-RPC URL of the node to ask; without it, the gateway's.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the chain.")] = False,
) -> None:
    """Recompute everything that a gateway stores, compare it with the chain, and name each difference.

    The gateway may run meanwhile. Ends with status 1 if anything differs.
    """
    loaded = settings.load(folder)
    deployment, reader = Deployment.load(loaded.deployment), None
    if not offline:
        urls, finality = (node,) if node else loaded.node, loaded.finality
        nodes = Nodes(urls, loaded.node_timeout, deployment=deployment, finality=finality)
        reader = ChainReader(nodes, deployment, finality)
    database, checked, found = Database(loaded.database_url), Checked(), 0
    try:
        database.check_schema()
        for finding in check(database, loaded.party, deployment, reader, checked):
            print(finding, flush=True)
            found += 1
    finally:
        database.close()
    print("checked " + ", ".join(f"{number:,} {kind}" for kind, number in checked.counts.items()))
    print(f"{found:,} differences" if found else "no differences" + (", the chain was not asked" if offline else ""))
    if found:
        raise typer.Exit(DIFFERENT)
