"""Joint calls: one party's consent goes into a document, the other's gateway adds its own and sends the call.

The consent in a document has a nonce lane of its own, drawn at random far above those of the outbox: one that is never
carried out holds up nothing, and several can be carried out in any order.
"""

import secrets
import time
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.facts import ChainReader
from packtrace.chain.typed_data import keyed_nonce, sign
from packtrace.commit.merkle import TILE_WIDTH
from packtrace.errors import DocumentError, LifecycleError
from packtrace.facts import Status, batch_of_unit, index_of_unit, unit_number
from packtrace.gs1 import split_sgtin_uri
from packtrace.receipt import REFUSED, UNIT_BYTES, Receipt
from packtrace.scan import Scan
from packtrace.verdict import Headline
from packtrace_gateway.access.models import Caller
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import CommissionedBatch, ItemTile, StoredEvent
from packtrace_gateway.events.store import EventStore, stored_header
from packtrace_gateway.joint.document import (
    CONTRACT,
    RULE,
    Document,
    Lift,
    Restore,
    Signed,
    signed_arguments,
    units_of,
)
from packtrace_gateway.joint.models import OPEN, JointCall, JointState, Side
from packtrace_gateway.joint.scene import check_signer, look, own_side
from packtrace_gateway.keys import KeyRing, Purpose
from packtrace_gateway.ledger.models import CallKind, StatusCallRow
from packtrace_gateway.outbox.models import LANES
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings
from packtrace_gateway.status.service import NEVER
from packtrace_gateway.verify.service import VerifyService

MAX_LISTED = 500
LANE_BITS = 63
DAY = 86_400


class JointService:
    """Joint calls of one gateway."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: EventStore,
        outbox: Outbox,
        reader: ChainReader,
        keys: KeyRing,
        verify: VerifyService,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._outbox = outbox
        self._reader = reader
        self._keys = keys
        self._verify = verify

    # ---- one starts it ----

    def units_of(self, scans: Sequence[Scan]) -> dict[int, str]:
        """The numbers of packs on chain, and their URIs. Raises LifecycleError for what is no known pack."""
        found: dict[int, str] = {}
        for at, scan in enumerate(scans):
            verified = self._verify.verify(scan)
            unit, headline = verified.evidence.unit, verified.verdict.headline
            if unit is None or headline in NEVER:
                message = f"this is no pack whose status could be lifted: {verified.verdict.words}"
                raise LifecycleError(message, field=f"packs[{at}]", value=verified.evidence.uri, rule=RULE)
            found[unit] = verified.evidence.uri
        return found

    def restoration(self, case: str, units: Sequence[int] | None, ground: str) -> Restore:
        """What is to be undone: the call with this case number, for `units`, or for all that it changed.

        Raises NotFoundError where the followed chain knows no such call.
        """
        with self._database.read() as session:
            receipt = _receipt(session, case)
        numbers = [receipt.units[at : at + UNIT_BYTES] for at in range(0, len(receipt.units), UNIT_BYTES)]
        places = [at for at, outcome in enumerate(receipt.outcomes) if outcome < REFUSED]
        if units is not None:
            wanted = {unit.to_bytes(UNIT_BYTES) for unit in units}
            strange = wanted - {numbers[at] for at in places}
            if strange:
                value = str(int.from_bytes(min(strange)))
                raise LifecycleError("this call did not change this pack", field="units", value=value, rule=RULE)
            places = [at for at in places if numbers[at] in wanted]
        if not places:
            raise LifecycleError("this call changed no pack", field="case", value=case, rule=RULE)
        return Restore.model_validate({"receipt": receipt.to_json(), "positions": places, "ground": ground})

    def start(
        self, what: Lift | Restore, packs: Mapping[int, str], days: int, reason: str, caller: Caller
    ) -> JointCall:
        """Sign as this party, for `days`; the document is for the other. `packs` are URIs where they are known.

        Raises LifecycleError where this gateway is neither holder nor regulator, a pack would be refused, or such a
        call is open already.
        """
        scene = look(self._reader, what)
        side = own_side(self._reader, scene, self._settings.party, self._settings.company)
        scene.check_useful()
        deployment = self._reader.deployment
        account = self._keys.account(Purpose.OPERATE)
        nonce = keyed_nonce(LANES + secrets.randbelow((1 << LANE_BITS) - LANES), 0)
        deadline = max(scene.view.block.timestamp, int(time.time())) + days * DAY
        consent = sign(account, deployment, CONTRACT, what.call, signed_arguments(what), nonce, deadline)
        signed = Signed(
            signer=consent.signer,
            nonce=str(consent.nonce),
            deadline=consent.deadline,
            signature=consent.signature.hex(),
        )
        with self._database.write() as session:
            self._check_single(session, what, scene.view.block.timestamp)
            document = Document(
                chain=deployment.chain_id,
                contract=deployment.address(CONTRACT),
                side=side,
                what=what,
                packs={str(unit): uri for unit, uri in (self._uris(session, units_of(what)) | {**packs}).items()},
                consent=signed,
            )
            row = JointCall(
                digest=document.digest(deployment),
                document=document.text(),
                side=side,
                started=True,
                state=JointState.OFFERED,
                created_at=int(time.time()),
                reason=reason,
                caller=caller.name,
                caller_id=caller.key_id,
            )
            session.add(row)
            session.flush()
        return row

    def _check_single(self, session: Session, what: Lift | Restore, now: int) -> None:
        """One at a time: two consents to the same would make a conflict, a false alarm, of the later one."""
        query = select(JointCall).where(JointCall.started, JointCall.state == JointState.OFFERED)  # type: ignore[arg-type]
        for row in session.execute(query).scalars():
            other = read(row)
            if other.what.call == what.call and other.consent.deadline >= now:
                both = set(units_of(other.what)) & set(units_of(what))
                if both:
                    message = f"joint call {row.id} is open for this pack: have it carried out, or wait for its end"
                    raise LifecycleError(message, field="units", value=str(min(both)), rule=RULE)

    # ---- the other adds its consent ----

    def receive(self, document: Document) -> JointCall:
        """Keep a document that another party signed, once it is found to be good. Nothing is signed by this.

        Raises DocumentError, EvidenceError or LifecycleError, saying what is wrong with it.
        """
        document.check(self._reader.deployment)
        digest = document.digest(self._reader.deployment)
        with self._database.read() as session:
            query = select(JointCall).where(JointCall.digest == digest)  # type: ignore[arg-type]
            known: JointCall | None = session.execute(query).scalar()
        contradicted = self._contradicted(document)
        if contradicted is not None:
            message = "the document gives this pack another serial number than it has"
            raise DocumentError(message, field="packs", value=contradicted, rule=RULE)
        if known is not None:
            if known.started:
                message = "this document was made here; give it to the other party"
                raise LifecycleError(message, field="consent.signer", value=document.consent.signer, rule=RULE)
            if read(known) != document:
                message = f"this consent was received in another document before (joint call {known.id})"
                raise DocumentError(message, field="consent", value=known.id, rule=RULE)
            return known
        side = self._side(document)
        with self._database.write() as session:
            row = JointCall(
                digest=digest,
                document=document.text(),
                side=side,
                started=False,
                state=JointState.RECEIVED,
                created_at=int(time.time()),
            )
            session.add(row)
            session.flush()
        return row

    def consent(self, number: int, reason: str, caller: Caller) -> JointCall:
        """Add this party's consent, and send the call. Raises LifecycleError where that makes no sense (any more)."""
        row = self.one(number)
        document = read(row)
        self._check_waiting(row)
        self._side(document)
        look(self._reader, document.what).check_useful()
        with self._database.write() as session:
            stored = session.get_one(JointCall, number)
            self._check_waiting(stored)
            theirs = document.signed_consent()
            consents = [None, theirs] if stored.side is Side.HOLDER else [theirs, None]
            stored.outbox = self._outbox.enqueue(
                session,
                contract=CONTRACT,
                function=document.what.call,
                args=[*signed_arguments(document.what), *consents],
                key="operate",
                reference=f"joint:{number}",
                lane=self._outbox.freest_lane(session, contract=CONTRACT, key="operate"),
                caller=caller,
            )
            stored.state, stored.error = JointState.ORDERED, None
            stored.reason, stored.caller, stored.caller_id = reason, caller.name, caller.key_id
            session.add(stored)
        return stored

    def _check_waiting(self, row: JointCall) -> None:
        if row.started:
            message = "this gateway's consent is in the document; the other party's gateway sends the call"
            raise LifecycleError(message, field="number", value=row.id, rule=RULE)
        if row.state not in (JointState.RECEIVED, JointState.REFUSED):
            message = f"this joint call is {row.state.value}; there is nothing to order"
            raise LifecycleError(message, field="number", value=row.id, rule=RULE)

    def _side(self, document: Document) -> Side:
        """Ours. The other consent's is checked: who signed, as what, and whether it still holds."""
        scene = look(self._reader, document.what)
        own = own_side(self._reader, scene, self._settings.party, self._settings.company)
        check_signer(self._reader, scene, document)
        if own is document.side:
            message = f"the document has the {own.value}'s consent already; the other one is missing"
            raise LifecycleError(message, field="side", value=document.side, rule=RULE)
        return own

    # ---- reading ----

    def one(self, number: int) -> JointCall:
        """Raises NotFoundError."""
        with self._database.read() as session:
            row = session.get(JointCall, number)
        if row is None:
            raise NotFoundError("there is no such joint call", field="number", value=number)
        return row

    def all(self, *, open_only: bool) -> list[JointCall]:
        """Joint calls, the newest first."""
        query = select(JointCall).order_by(JointCall.id.desc()).limit(MAX_LISTED)  # type: ignore[union-attr]
        if open_only:
            query = query.where(JointCall.state.in_(OPEN))  # type: ignore[attr-defined]
        with self._database.read() as session:
            return list(session.execute(query).scalars())

    def confirmed(self, document: Document) -> set[int]:
        """The units that have the serial numbers which the document gives them: by this gateway's own records, or by
        the holder's proof. Where the holder does not answer, the rest is not asked, and not confirmed.
        """
        return {unit for unit, found in self._found(document).items() if found == unit}

    def _contradicted(self, document: Document) -> str | None:
        """A pack that has not the serial number which the document gives it."""
        strange = {int(unit) for unit in document.packs} - set(units_of(document.what))
        wrong = strange | {unit for unit, found in self._found(document).items() if found != unit}
        return str(min(wrong)) if wrong else None

    def _found(self, document: Document) -> dict[int, int | None]:
        """By the unit that the document names: the one that has its serial number, None for none at all."""
        with self._database.read() as session:
            known = self._store.units(session, document.packs.values())
            found: dict[int, int | None] = {
                int(unit): self._recorded(session, *known[uri]) for unit, uri in document.packs.items() if uri in known
            }
        for unit, uri in document.packs.items():
            if int(unit) in found:
                continue
            parts = split_sgtin_uri(uri)
            verified = self._verify.verify(Scan(*parts)) if parts else None
            if verified is None or verified.verdict.headline is Headline.UNKNOWN_SERIAL:
                found[int(unit)] = None
            elif verified.evidence.unit is None or verified.evidence.broken:
                break
            else:
                found[int(unit)] = verified.evidence.unit
        return found

    def _recorded(self, session: Session, event: int, position: int, *_: object) -> int:
        product = stored_header(session.get_one(StoredEvent, event).header).core.get("product") or {}
        return unit_number(int(product.get("batch", 0)), position)

    def _uris(self, session: Session, units: Sequence[int]) -> dict[int, str]:
        """The serial numbers of units of batches that were commissioned here."""
        found = {}
        for unit in units:
            batch, index = session.get(CommissionedBatch, batch_of_unit(unit)), index_of_unit(unit)
            tile = batch and session.get(ItemTile, (batch.event, 0, index // TILE_WIDTH))
            if tile:
                found[unit] = tile.data.decode().split("\n")[index % TILE_WIDTH]
        return found


def read(row: JointCall) -> Document:
    return Document.model_validate_json(row.document)


def _receipt(session: Session, case: str) -> Receipt:
    """The receipt of a call by its case number, from the followed chain."""
    form = case.replace("-", "").lower()
    if len(form) != 12 or not set(form) <= set("0123456789abcdef"):
        raise DocumentError("a case number has 12 hexadecimal digits", field="case", value=case, rule="ABCD-EF01-2345")
    first = bytes.fromhex(form)
    query = select(StatusCallRow).where(
        StatusCallRow.kind == CallKind.CHANGED,  # type: ignore[arg-type]
        StatusCallRow.call >= first + bytes(26),  # type: ignore[arg-type]
        StatusCallRow.call <= first + b"\xff" * 26,  # type: ignore[arg-type]
    )
    rows = list(session.execute(query.limit(2)).scalars())
    if len(rows) != 1:
        message = "no call with this case number is known here" if not rows else "several calls have this case number"
        raise NotFoundError(message, field="case", value=case)
    (row,) = rows
    return Receipt(row.call, row.party, Status(row.to), row.time, row.openings or b"", row.units, row.outcomes)
