"""A database belongs to one party, and to the contracts of one deployment file.

With another file the chain would say something else than the records do. On another network the outbox would take all
that was final for lost, and send it again; on a successor the counters of signatures differ, and it would sign nothing
more.
"""

from collections.abc import Iterator

import orjson
from sqlmodel import select

from packtrace.chain.deployment import Deployment
from packtrace_gateway.db import Database, DatabaseStateError
from packtrace_gateway.keeping.models import Belonging


def claim(database: Database, party: int, deployment: Deployment) -> None:
    """Write down whose records these are, at the first start. Raises DatabaseStateError where they are another's."""
    with database.read() as session:
        known = session.exec(select(Belonging)).first()
    if known is None:
        with database.write() as session:
            session.add(Belonging(id=1, party=party, contracts=orjson.dumps(_contracts(deployment)).decode()))
        return
    for difference in differences(known, party, deployment):
        raise difference


def differences(known: Belonging, party: int, deployment: Deployment) -> Iterator[DatabaseStateError]:
    """Why records that belong to `known` are not this party's, on these contracts."""
    if known.party != party:
        yield DatabaseStateError(
            f"this database holds the records of party {known.party}: put that number back, or make this party a "
            "gateway of its own",
            field="party",
            value=party,
        )
    theirs = orjson.loads(known.contracts)
    if different := [name for name, value in _contracts(deployment).items() if theirs.get(name) != value]:
        yield DatabaseStateError(
            "this database belongs to another deployment file: put that one back (every backup has it); its records "
            "stand on those contracts, and on no others",
            field="deployment",
            value=", ".join(different),
        )


def _contracts(deployment: Deployment) -> dict[str, int | str]:
    return {"chainId": deployment.chain_id, **deployment.contracts}
