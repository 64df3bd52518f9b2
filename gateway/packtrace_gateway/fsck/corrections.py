"""What was declared erroneous: the declarations against their events, and whether everybody was told who has to be."""

from collections.abc import Iterator

from sqlmodel import Session, col, select

from packtrace.commit.pedigree import Pedigree
from packtrace.errors import PacktraceError
from packtrace_gateway.events.declarations import known
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.exchange import package as packages
from packtrace_gateway.exchange.corrections import untold
from packtrace_gateway.exchange.models import DisclosedEvent, HandOver, HandOverPiece
from packtrace_gateway.fsck.events import all_events, name
from packtrace_gateway.fsck.report import Checked, Finding


def check_declarations(session: Session, checked: Checked) -> Iterator[Finding]:
    """Error declarations against the events that they take back."""
    for declaration in all_events(session, col(StoredEvent.declares).is_not(None)):
        checked.note("declarations")
        where = name(declaration)
        erroneous = session.exec(select(StoredEvent).where(StoredEvent.digest == declaration.declares)).first()
        if erroneous is None:
            if declaration.secret is not None:
                yield Finding(where, "the event that it declares erroneous is not here")
            continue
        if erroneous.party != declaration.party:
            yield Finding(where, f"it declares event {erroneous.id} of party {erroneous.party} erroneous")
        if declaration.secret is not None and declaration.cbv_hash != erroneous.cbv_hash:
            yield Finding(where, f"it is not the same event as event {erroneous.id}, which it declares erroneous")
        for receiver in untold(session, declaration):
            yield Finding(where, f"party {receiver} was shown event {erroneous.id}, and is not told of this")


def check_disclosed(session: Session, checked: Checked) -> Iterator[Finding]:
    """What is recorded as disclosed, against the packages that disclose it."""
    for hand_over in session.exec(select(HandOver).where(col(HandOver.digest).is_not(None))):
        rows = select(DisclosedEvent.event).where(DisclosedEvent.hand_over == hand_over.id)
        recorded = set(session.exec(rows))
        checked.note("disclosed events", len(recorded))
        shown = _shown(session, hand_over)
        if shown is None:
            continue  # named by the check of packages
        where = f"hand-over {hand_over.id}"
        for number in sorted(shown - recorded):
            yield Finding(where, f"it discloses event {number}, which is not recorded")
        for number in sorted(recorded - shown):
            yield Finding(where, f"event {number} is recorded as disclosed by it, and is not in it")


def _shown(session: Session, hand_over: HandOver) -> set[int] | None:
    """The events in a package; None where it cannot be read."""
    pieces = select(HandOverPiece.data).where(HandOverPiece.hand_over == hand_over.id)
    data: bytes = b"".join(part for part in session.exec(pieces.order_by(col(HandOverPiece.number))))
    try:
        pedigree = Pedigree.from_cbor(packages.from_cbor(data).pedigree)
        return {event.id for event in known(session, [entry.digest for entry in pedigree.disclosures])}
    except PacktraceError:
        return None
