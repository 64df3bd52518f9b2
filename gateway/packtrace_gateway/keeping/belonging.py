"""A database belongs to one party, and to the contracts of one deployment file.

With another file the chain would say something else than the records do. On another network the outbox would take all
that was final for lost, and send it again; on a successor the counters of signatures differ, and it would sign nothing
more.
"""

import orjson

from packtrace.chain.deployment import Deployment
from packtrace_gateway.db import Database, DatabaseStateError
from packtrace_gateway.keeping.models import Belonging


def claim(database: Database, party: int, deployment: Deployment) -> None:
    """Write down whose records these are, at the first start. Raises DatabaseStateError where they are another's."""
    ours = {"chainId": deployment.chain_id, **deployment.contracts}
    with database.read() as session:
        known = session.get(Belonging, 1)
    if known is None:
        with database.write() as session:
            session.add(Belonging(id=1, party=party, contracts=orjson.dumps(ours).decode()))
        return
    if known.party != party:
        raise DatabaseStateError(
            f"this database holds the records of party {known.party}: put that number back, or make this party a "
            "gateway of its own",
            field="party",
            value=party,
        )
    theirs = orjson.loads(known.contracts)
    if different := [name for name, value in ours.items() if theirs.get(name) != value]:
        raise DatabaseStateError(
            "this database belongs to another deployment file: put that one back (every backup has it); its records "
            "stand on those contracts, and on no others",
            field="deployment",
            value=", ".join(different),
        )
