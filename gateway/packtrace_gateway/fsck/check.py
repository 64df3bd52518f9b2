"""All checks, in order, on one snapshot of the database."""

from collections.abc import Callable, Iterator

from sqlmodel import Session

from packtrace.chain.facts import ChainReader
from packtrace_gateway.db import Database, DatabaseStateError
from packtrace_gateway.fsck import chain, events, places, records
from packtrace_gateway.fsck.report import Checked, Finding

Check = Callable[[Session, Checked], Iterator[Finding]]


def fsck(database: Database, party: int, reader: ChainReader | None, checked: Checked) -> Iterator[Finding]:
    """Every difference that there is. Without a `reader` the chain is not asked.

    A gateway may run meanwhile: it is looked at as of one moment, and the chain as of a block after that.
    """
    try:
        database.check_whole()
    except DatabaseStateError as error:
        yield Finding("database", error.message)
        return
    with database.read() as session:
        yield from events.check_events(session, checked, party)
        for check in (
            places.check_items,
            places.check_containment,
            records.check_batches,
            records.check_logistic,
            records.check_seals,
            records.check_operations,
            records.check_packages,
            records.check_counters,
        ):
            yield from check(session, checked)
        if reader is not None:
            reader.node.check(reader.deployment)
            view = reader.view()
            yield from chain.check_log(session, reader, view, checked)
            yield from chain.check_batches(session, reader, view, checked)
            yield from chain.check_custody(session, reader, view, checked)
            yield from chain.check_calls(session, reader, checked)
            yield from chain.check_receipts(session, reader, view, checked, party)
            yield from chain.check_index(session, reader, checked)
