"""The locator: a pack whose pedigree is not here is asked of its marketing authorisation holder's gateway."""

import logging
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy import not_, select
from sqlmodel import Session

from packtrace.commit.pedigree import Pedigree
from packtrace.errors import ChainError, EvidenceError, IdentifierError
from packtrace.evidence import commissioned_batch
from packtrace.facts import batch_number
from packtrace.gs1 import keys as gs1_keys
from packtrace.gs1 import sgtin_uri
from packtrace.locator import Answer, Kind, read_answer, sign_answer
from packtrace.product import Product, product_key
from packtrace.scan import Scan
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import ProductSecret
from packtrace_gateway.events.pedigrees import PedigreeReader
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange.client import PartnerClient
from packtrace_gateway.exchange.directory import Directory
from packtrace_gateway.exchange.errors import PartnerError
from packtrace_gateway.exchange.models import HeldBatch
from packtrace_gateway.keys import KeyRing, Purpose
from packtrace_gateway.ledger.models import BatchEventRow, BatchRow, BatchState, RegistryRow
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings

log = logging.getLogger(__name__)

TARGET = "/exchange/locate"
# A pharmacist waits for it; without an answer the verdict says "not verified".
ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Locator:
    """Answers for the products of this gateway's company, and asks others about theirs."""

    settings: Settings
    database: Database
    store: EventStore
    keys: KeyRing
    directory: Directory
    client: PartnerClient

    def ask(self, scan: Scan) -> tuple[Answer, dict[str, Any]] | None:
        """The holder's answer about a pack, and its JSON; None when there is no holder, or no answer in time.

        Its signature was recovered; whether the signer may speak for the GTIN, and all else, is the verdict's to say.
        """
        try:
            holder = self.directory.holder(scan.gtin)
            if holder is None:
                return None
            if holder == self.settings.company and self._is_ours(scan.gtin):
                plain = self.answer(scan)
            else:
                body = orjson.dumps(to_json(scan))
                plain = self.client.request(holder, "POST", TARGET, body, seconds=ANSWER_SECONDS)
            return read_answer(plain, self.directory.network, scan), plain
        except (ChainError, PartnerError, EvidenceError) as error:
            log.warning("no answer about a pack of %s: %s", scan.gtin, error)
            return None

    def answer(self, scan: Scan) -> dict[str, Any]:
        """This gateway's signed answer. Raises NotFoundError when the product is not commissioned here.

        "Never commissioned" is said of a product only by who commissions all of it.
        """
        if self.directory.holder(scan.gtin) != self.settings.company or not self._is_ours(scan.gtin):
            raise NotFoundError("this product is not commissioned here", field="gtin", value=scan.gtin)
        with self.database.read() as session:
            disclosure = PedigreeReader(self.store, session).commissioning(sgtin_uri(scan.gtin, scan.serial))
            if disclosure is None and self._made_elsewhere(session, scan.gtin):
                message = "a batch of this product was commissioned elsewhere, and its packs are not known here (yet)"
                raise NotFoundError(message, field="gtin", value=scan.gtin)
        kind: Kind = "never"
        pedigree = None
        if disclosure is not None:
            product, _ = commissioned_batch(disclosure.verify())
            kind = "unit" if agrees(scan, product) else "differs"
            pedigree = Pedigree((disclosure,)) if kind == "unit" else None
        account, network = self.keys.account(Purpose.OPERATE), self.directory.network
        return sign_answer(account, network, kind, scan, int(time.time()), pedigree)

    def _made_elsewhere(self, session: Session, gtin: str) -> bool:
        """Whether other premises (a contract manufacturer's) proposed a batch of it whose packs are not all known here.

        By the followed chain. A withdrawn batch has no packs that anybody could ask for.
        """
        key = "0x" + product_key(session.get_one(ProductSecret, gtin).secret, gtin).hex()
        registered = select(RegistryRow).where(RegistryRow.event == "ProductRegistered")  # type: ignore[arg-type]
        mine = registered.where(RegistryRow.party == self.settings.company)  # type: ignore[arg-type]
        args = (row.args for row in session.execute(mine).scalars())
        products = [int(str(entry["product"])) for entry in args if entry["productKey"] == key]
        first, end = batch_number(self.settings.party, 0), batch_number(self.settings.party + 1, 0)
        own: Any = BatchRow.batch.between(first, end - 1)  # type: ignore[attr-defined]
        known = select(HeldBatch.batch)  # type: ignore[call-overload]
        withdrawn = select(BatchEventRow.batch).where(BatchEventRow.state == BatchState.WITHDRAWN)  # type: ignore
        missing = (BatchRow.batch.not_in(known), BatchRow.batch.not_in(withdrawn))  # type: ignore[attr-defined]
        theirs = (BatchRow.product.in_(products), not_(own), *missing)  # type: ignore[attr-defined]
        return session.execute(select(BatchRow).where(*theirs).limit(1)).first() is not None

    def _is_ours(self, gtin: str) -> bool:
        with self.database.read() as session:
            return session.get(ProductSecret, gtin) is not None


def agrees(scan: Scan, product: Product) -> bool:
    """Whether what was read from the pack is what was commissioned."""
    return scan.lot in (None, product.lot) and scan.expiry in (None, product.expiry)


def to_json(scan: Scan) -> dict[str, str | None]:
    """A scan as it is sent to the holder."""
    expiry = scan.expiry.isoformat() if scan.expiry else None
    return {"gtin": scan.gtin, "serial": scan.serial, "lot": scan.lot, "expiry": expiry}


def from_json(plain: Any) -> Scan:
    """Raises IdentifierError when `plain` is no scan."""
    try:
        lot, expiry = plain["lot"], plain["expiry"]
        return Scan(
            gs1_keys.gtin(plain["gtin"]),
            gs1_keys.serial(plain["serial"]),
            None if lot is None else gs1_keys.lot(lot),
            None if expiry is None else date.fromisoformat(expiry),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, IdentifierError):
            raise
        raise IdentifierError(f"the scan is not well formed: {error!r}", field="body") from error
