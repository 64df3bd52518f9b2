"""All checks, in order, on one snapshot of the database."""

from collections.abc import Callable, Iterator

from sqlmodel import Session

from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.errors import ChainError
from packtrace_gateway.db import Database, DatabaseStateError
from packtrace_gateway.fsck import alerts, calls, chain, corrections, events, joint, places, records
from packtrace_gateway.fsck.report import Checked, Finding

Check = Callable[[Session, Checked], Iterator[Finding]]


def fsck(
    database: Database, party: int, deployment: Deployment, reader: ChainReader | None, checked: Checked
) -> Iterator[Finding]:
    """Every difference that there is. Without a `reader` the chain is not asked.

    A gateway may run meanwhile: it is looked at as of one moment, and the chain as of a block after that.
    """
    try:
        database.check_whole()
    except DatabaseStateError as error:
        yield Finding("database", error.message)
        return
    stored: list[Check] = [
        lambda session, checked: records.check_belonging(session, checked, party, deployment),
        lambda session, checked: events.check_events(session, checked, party),
        places.check_items,
        places.check_containment,
        records.check_batches,
        records.check_held,
        records.check_notices,
        records.check_logistic,
        records.check_seals,
        records.check_operations,
        lambda session, checked: joint.check_joint(session, checked, deployment),
        alerts.check_alerts,
        records.check_packages,
        records.check_goods,
        corrections.check_declarations,
        corrections.check_disclosed,
        records.check_counters,
        lambda session, checked: calls.check_outbox(session, checked, deployment),
    ]
    with database.read() as session:
        for check in stored:
            yield from _guarded(check, session, checked)
        if reader is not None:
            for check in _on_chain(reader, party):
                yield from _guarded(check, session, checked)


def _on_chain(reader: ChainReader, party: int) -> list[Check]:
    reader.node.check(reader.deployment)
    view = reader.view()
    return [
        lambda session, checked: chain.check_log(session, reader, view, checked),
        lambda session, checked: chain.check_batches(session, reader, view, checked),
        lambda session, checked: chain.check_custody(session, reader, view, checked),
        lambda session, checked: chain.check_whereabouts(session, reader, view, checked, party),
        lambda session, checked: chain.check_calls(session, reader, checked),
        lambda session, checked: chain.check_receipts(session, reader, view, checked, party),
        lambda session, checked: chain.check_index(session, reader, checked),
    ]


def _guarded(check: Check, session: Session, checked: Checked) -> Iterator[Finding]:
    """A value that cannot even be read is a difference; the other checks go on."""
    try:
        yield from check(session, checked)
    except ChainError:
        raise
    except Exception as error:  # whatever a damaged value makes of the code that reads it
        yield Finding("database", f"it holds a value that cannot be read: {type(error).__name__}: {error}")
