"""What the chain says of a joint call's packs at one block: who has to sign, and what would become of each pack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packtrace.chain.facts import ChainReader, View, receipt_hash_of
from packtrace.chain.node import Call
from packtrace.errors import EvidenceError, LifecycleError
from packtrace.facts import PURPOSE_OPERATE, BatchState, PartyFacts, Status, UnitFacts
from packtrace.verdict import STATUS_WORDS
from packtrace_gateway.joint.document import CONTRACT, Document, Lift, Restore, becomes, receipt_of, units_of
from packtrace_gateway.joint.models import Side

RULE = "IPackLedger.liftStatus, restoreStatus"
ROLE_REGULATOR = 1  # IPartyRegistry
LIFTED = (Status.LOCKED, Status.SUSPECT)
POSITIONS = 1 << 64


@dataclass(frozen=True, slots=True)
class Prospect:
    """One pack: its status now, the one that it would get, or why the chain would refuse it."""

    unit: int
    now: Status
    becomes: Status | None
    refusal: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """`holder` is the company that holds the packs' marketing authorisation."""

    view: View
    holder: int
    prospects: Sequence[Prospect]

    def check_useful(self) -> None:
        """Raises LifecycleError for the first pack that the chain would refuse: that would be a false alarm."""
        for one in self.prospects:
            if one.refusal:
                raise LifecycleError(f"{one.refusal}; leave it out", field="packs", value=str(one.unit), rule=RULE)


def look(reader: ChainReader, what: Lift | Restore) -> Scene:
    """Raises EvidenceError for a receipt that the chain does not have, LifecycleError for packs of several holders."""
    view, units = reader.view(), units_of(what)
    facts = reader.units_facts(units, view)
    for unit in units:
        if unit not in facts or facts[unit].batch.state is BatchState.NONE:
            raise LifecycleError("the chain does not know this pack", field="units", value=str(unit), rule=RULE)
    holders = {facts[unit].batch.mah for unit in units}
    if len(holders) > 1:
        message = "these packs are of several holders of marketing authorisations; make one call for each"
        raise LifecycleError(message, field="units", value=sorted(holders), rule=RULE)
    lines = _lifts(what, facts) if isinstance(what, Lift) else _restorations(reader, view, what, facts)
    return Scene(view, holders.pop(), lines)


def own_side(reader: ChainReader, scene: Scene, party: int, company: int) -> Side:
    """As what this gateway signs. Raises LifecycleError where it is neither holder nor regulator."""
    side = _side(reader.parties([party], scene.view).get(party), company, scene.holder)
    if side is None:
        message = f"only company {scene.holder}, which holds the authorisation of these packs, and a regulator can sign"
        raise LifecycleError(message, field="party", value=party, rule=RULE)
    return side


def check_signer(reader: ChainReader, scene: Scene, document: Document) -> int:
    """The party that consents in the document. Raises EvidenceError where its key may not, LifecycleError where its
    consent is over or used.
    """
    consent, view = document.signed_consent(), scene.view
    key = reader.keys([consent.signer], view).get(consent.signer)
    if key is None or not key.valid or not key.purposes & PURPOSE_OPERATE:
        message = "the key that signed this document speaks for nobody now: it is unknown, revoked or suspended"
        raise EvidenceError(message, field="consent.signer", value=consent.signer, rule=RULE)
    party = reader.parties([key.party], view)[key.party]
    if not party.licensed:
        message = f"party {key.party}, which signed this document, has no valid licence now"
        raise EvidenceError(message, field="consent.signer", value=consent.signer, rule=RULE)
    allowed = party.company == scene.holder if document.side is Side.HOLDER else bool(party.roles & ROLE_REGULATOR)
    if not allowed:
        title = "the holder of these packs' marketing authorisation" if document.side is Side.HOLDER else "a regulator"
        message = f"party {key.party}, which signed this document, is not {title}"
        raise EvidenceError(message, field="side", value=document.side, rule=RULE)
    if consent.deadline < view.block.timestamp:
        message = "the consent in this document has ended; ask for a new one"
        raise LifecycleError(message, field="consent.deadline", value=consent.deadline, rule=RULE)
    lane, position = divmod(consent.nonce, POSITIONS)
    (used,) = reader.node.calls(reader.deployment, [Call(CONTRACT, "nonces", [consent.signer, lane])], view.block)
    if used % POSITIONS != position:
        message = "the consent in this document was carried out before, or cannot be: ask for a new one"
        raise LifecycleError(message, field="consent.nonce", value=str(consent.nonce), rule=RULE)
    return key.party


def _side(own: PartyFacts | None, company: int, holder: int) -> Side | None:
    if company == holder:
        return Side.HOLDER
    return Side.REGULATOR if own is not None and own.roles & ROLE_REGULATOR else None


def _lifts(what: Lift, facts: Mapping[int, UnitFacts]) -> list[Prospect]:
    found = []
    for unit in units_of(what):
        now, twin = facts[unit].status, facts[unit].twin
        refusal = note = None
        if now not in LIFTED:
            refusal = f"this pack is {_word(now)}; only locked and suspect packs are lifted"
        elif twin is not None:
            note = f"pack {twin} was proven to have the same serial number"
            if not what.duplicates:
                refusal = f"{note}; say `duplicates` if it is to be lifted all the same"
        found.append(Prospect(unit, now, None if refusal else Status.ACTIVE, refusal, note))
    return found


def _restorations(reader: ChainReader, view: View, what: Restore, facts: Mapping[int, UnitFacts]) -> list[Prospect]:
    receipt = receipt_of(what)
    asked = [Call(CONTRACT, name, [receipt.id]) for name in ("receiptHash", "reversedOf")]
    known, undone = reader.node.calls(reader.deployment, asked, view.block)
    if known != receipt_hash_of(receipt):
        message = "the chain has no such call: the receipt was changed, or is of a call that was reorganised away"
        raise EvidenceError(message, field="receipt", value=receipt.id.hex(), rule=RULE)
    found = []
    for position, unit, to in zip(what.positions, units_of(what), becomes(what), strict=True):
        now, refusal, note = facts[unit].status, None, None
        if to is None:
            refusal = "this call did not change the pack"
        elif undone >> position & 1:
            refusal = "this was reversed or restored before"
        elif now is not receipt.to:
            refusal = f"this pack is {_word(now)} by a later call; restore that one first"
        elif facts[unit].twin is not None and to is Status.ACTIVE:
            note = f"pack {facts[unit].twin} was proven to have the same serial number: it becomes suspect, not active"
            to = Status.SUSPECT
            refusal = f"{note}, which it is" if receipt.to is Status.SUSPECT else None
        found.append(Prospect(unit, now, None if refusal else to, refusal, note))
    return found


def _word(status: Status) -> str:
    return STATUS_WORDS.get(status, "active")
