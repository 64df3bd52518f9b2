"""Keeping partners, each checked against the party registry, and finding the receiver of a shipment."""

from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.facts import ChainReader
from packtrace.epcis.model import Event
from packtrace.errors import DocumentError, EvidenceError
from packtrace.gs1 import gln_of_uri
from packtrace.product import gln_commitment
from packtrace_gateway.db import Database
from packtrace_gateway.partners.models import Partner

# Destination types that name a receiver, the surest first (CBV 2.0, section 7.4).
RECEIVER_TYPES = ("possessing_party", "owning_party", "location")


class PartnerService:
    """The partners of one gateway."""

    def __init__(self, database: Database, reader: ChainReader) -> None:
        self._database = database
        self._reader = reader

    def add(self, gln: str, party: int, salt: bytes, name: str) -> None:
        """Keep a partner. Raises EvidenceError unless GLN and salt open the commitment of that party on chain."""
        known = self._reader.parties([party]).get(party)
        if known is None or known.gln_commitment != gln_commitment(salt, gln):
            raise EvidenceError(
                "this GLN and salt do not open the commitment that the party registry holds for this party; ask the "
                "partner for its party number, GLN and salt",
                field="gln",
                value=gln,
                rule=f"party {party}",
            )
        with self._database.write() as session:
            session.merge(Partner(gln=gln, party=party, company=known.company, salt=salt, name=name))

    def all(self) -> list[Partner]:
        with self._database.read() as session:
            return list(session.execute(select(Partner).order_by(Partner.gln)).scalars())

    def receiver(self, session: Session, event: Event, field: str) -> Partner:
        """The partner that a shipping event hands over to. Raises DocumentError when it names none that is known."""
        named = {entry.type: entry.id for entry in event.destinations}
        uri = next((named[kind] for kind in RECEIVER_TYPES if kind in named), None)
        if uri is None:
            raise DocumentError(
                "a shipment names its receiver: add a destination of type possessing_party, owning_party or location",
                field=f"{field}destinationList",
                rule="CBV 2.0, section 7.4",
            )
        gln = gln_of_uri(uri)
        partner = session.get(Partner, gln) if gln else None
        if partner is None:
            raise DocumentError(
                "the receiver is not a known partner; add it under /partners with its party number and salt",
                field=f"{field}destinationList",
                value=uri,
                rule="packtrace: partners",
            )
        return partner
