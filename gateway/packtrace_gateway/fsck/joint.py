"""Joint calls: the document is what its signer signed, our call carries both consents, and the end is the chain's."""

from collections.abc import Iterator

from sqlmodel import Session, select

from packtrace.chain.deployment import Deployment
from packtrace_gateway.fsck.report import Checked, Finding
from packtrace_gateway.joint.document import CONTRACT, Document, Lift, packed, signed_arguments, units_of
from packtrace_gateway.joint.models import JointCall, JointState, Side
from packtrace_gateway.ledger.models import CallKind, StatusCallRow
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import OutboxRow


def check_joint(session: Session, checked: Checked, deployment: Deployment) -> Iterator[Finding]:
    """Every joint call that was made or received here."""
    for joint in session.exec(select(JointCall)):
        checked.note("joint calls")
        yield from (Finding(f"joint call {joint.id}", what) for what in _joint(session, joint, deployment))


def _joint(session: Session, joint: JointCall, deployment: Deployment) -> Iterator[str]:
    document = Document.model_validate_json(joint.document)
    document.check(deployment)
    if document.digest(deployment) != joint.digest:
        yield "its digest is not that of the consent in its document"
    if (document.side == joint.side) != joint.started:
        yield "its document was signed by another side than is recorded"
    if joint.outbox is not None:
        row = session.get(OutboxRow, joint.outbox)
        if row is None or row.args != _arguments(document) or row.reference != f"joint:{joint.id}":
            yield f"outbox row {joint.outbox} does not carry it"
    if (joint.outcomes is not None) != (joint.state is JointState.DONE):
        yield f"it is {joint.state.value}, and {'has' if joint.outcomes else 'lacks'} an outcome"
    if joint.outcomes is not None and not _happened(session, joint, document):
        yield "the followed chain has no such call with this outcome in this block"


def _arguments(document: Document) -> bytes:
    theirs = document.signed_consent()
    consents = [theirs, None] if document.side is Side.HOLDER else [None, theirs]
    return calls.dump(CONTRACT, document.what.call, [*signed_arguments(document.what), *consents])


def _happened(session: Session, joint: JointCall, document: Document) -> bool:
    query = select(StatusCallRow).where(
        StatusCallRow.kind == (CallKind.LIFTED if isinstance(document.what, Lift) else CallKind.RESTORED),
        StatusCallRow.units == packed(units_of(document.what)),
        StatusCallRow.outcomes == joint.outcomes,
        StatusCallRow.block_number == joint.block,
        StatusCallRow.time == joint.time,
    )
    return session.exec(query.limit(1)).first() is not None
