"""A joint call in plain words, for who decides on it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from packtrace.errors import ChainUnreachable, PacktraceError
from packtrace.facts import Refusal, Status
from packtrace.receipt import REFUSED
from packtrace.verdict import STATUS_WORDS, case_number
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.joint.document import Document, Lift, Restore, receipt_of, units_of
from packtrace_gateway.joint.models import JointCall, JointState
from packtrace_gateway.joint.scene import Prospect, look
from packtrace_gateway.joint.service import read
from packtrace_gateway.ledger.follower import indexed
from packtrace_gateway.status.outcomes import REFUSAL_WORDS

GROUND_WORDS = {
    "not_opened": "its party could not, or would not, show which packs it was about",
    "key_compromised": "the key that signed it is compromised",
    "other": "another reason",
}


def summary(gateway: Gateway, row: JointCall) -> dict[str, Any]:
    """A joint call as it stands, without asking the chain."""
    document = read(row)
    return {
        "number": row.id,
        "about": about(document.what),
        "side": row.side.value,
        "started": row.started,
        "state": _state(gateway, row, document),
        "until": document.consent.deadline,
        "createdAt": row.created_at,
        "reason": row.reason,
        "orderedBy": {"key": row.caller_id, "name": row.caller} if row.caller else None,
        "outbox": row.outbox,
        "error": row.error,
        "time": row.time,
    }


def detail(gateway: Gateway, row: JointCall) -> dict[str, Any]:
    """… with each pack: its status now and then, and what became of it; and the document, where it was made here."""
    document, trouble = read(row), None
    prospects: Sequence[Prospect] = ()
    if row.state is not JointState.DONE:
        try:
            prospects = look(gateway.reader, document.what).prospects
        except ChainUnreachable as error:
            trouble = f"the packs' status could not be asked: {error}"
        except PacktraceError as error:
            trouble = str(error)
    more: dict[str, Any] = {"packs": _packs(gateway, row, document, prospects), "trouble": trouble}
    if row.started:
        more["document"] = document.model_dump(mode="json")
    return summary(gateway, row) | more


def about(what: Lift | Restore) -> str:
    """What the call does, in one sentence or two."""
    count = len(units_of(what))
    packs = "1 pack" if count == 1 else f"{count} packs"
    if isinstance(what, Lift):
        flagged = ", those flagged as duplicates too" if what.duplicates else ""
        return f"Bring {packs}, locked or suspect, back to ACTIVE{flagged}: they can be dispensed then."
    receipt = receipt_of(what)
    when = datetime.fromtimestamp(receipt.time, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"Undo what party {receipt.party} did by case {case_number(receipt.id)} on {when}: it set {packs} to "
        f"{receipt.to.name.lower()}. Ground: {GROUND_WORDS[what.ground]}."
    )


def _state(gateway: Gateway, row: JointCall, document: Document) -> str:
    if row.state in (JointState.OFFERED, JointState.RECEIVED, JointState.REFUSED):
        with gateway.database.read() as session:
            newest = indexed(session)
        if newest is not None and newest.time > document.consent.deadline:
            return "expired"
    return row.state.value


def _packs(gateway: Gateway, row: JointCall, document: Document, prospects: Sequence[Prospect]) -> list[dict[str, Any]]:
    confirmed = gateway.joint.confirmed(document)
    found = []
    for at, unit in enumerate(units_of(document.what)):
        pack: dict[str, Any] = {
            "unit": str(unit),
            "uri": document.packs.get(str(unit)),
            "confirmed": unit in confirmed,
        }
        if row.outcomes is not None:
            pack["outcome"] = _outcome(document.what, row.outcomes[at])
        elif prospects:
            one = prospects[at]
            pack |= {
                "now": _word(one.now),
                "becomes": None if one.becomes is None else _word(one.becomes),
                "note": one.refusal or one.note,
            }
        found.append(pack)
    return found


def _outcome(what: Lift | Restore, outcome: int) -> str:
    if outcome >= REFUSED:
        return f"refused: {REFUSAL_WORDS[Refusal(outcome & ~REFUSED)]}"
    return _word(Status.ACTIVE if isinstance(what, Lift) else Status(outcome))


def _word(status: Status) -> str:
    return STATUS_WORDS.get(status, "active")
