"""Product secrets, and what the licensing authority needs to register a product."""

import secrets

from sqlmodel import Session

from packtrace.errors import LifecycleError
from packtrace.product import SECRET_BYTES, gtin_hash, product_key
from packtrace_gateway.access.models import Caller
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import ProductSecret
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.problems import AlreadyExistsError


class ProductService:
    """The products that are commissioned here."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def add(self, gtin: str, secret: bytes | None) -> dict[str, str]:
        """Keep a product's secret: a fresh one, or the one that a contract manufacturer got from its principal.

        Returns the hashes that the licensing authority registers.
        """
        with self._database.write() as session:
            known = session.get(ProductSecret, gtin)
            if known is not None and secret not in (None, known.secret):
                raise AlreadyExistsError(
                    "this GTIN has another secret already", field="gtin", value=gtin, rule="packtrace: products"
                )
            if known is None:
                known = ProductSecret(gtin=gtin, secret=secret or secrets.token_bytes(SECRET_BYTES))
                session.add(known)
            return {
                "gtin": gtin,
                "productKey": product_key(known.secret, gtin).hex(),
                "gtinHash": gtin_hash(gtin).hex(),
            }

    def authorise_line(self, gtin: str, party: int, until: int, caller: Caller) -> int:
        """Let the lines of a premises propose batches of this product until then (unix time; 0 withdraws it).

        Signed with this company's MANAGE key; the outbox row's id.
        """
        return self._authorise(gtin, "authoriseLine", party, until, caller)

    def authorise_quality(self, gtin: str, key: str, until: int, caller: Caller) -> int:
        """Let a qualified person's key release batches of this product until then; the outbox row's id."""
        return self._authorise(gtin, "authoriseQuality", key, until, caller)

    def _authorise(self, gtin: str, function: str, who: int | str, until: int, caller: Caller) -> int:
        with self._database.write() as session:
            key = product_key(self.secret(session, gtin, "gtin"), gtin)
            return self._outbox.enqueue(
                session,
                contract="PartyRegistry",
                function=function,
                args=[key, who, until],
                key="manage",
                reference=f"product:{gtin}",
                caller=caller,
            )

    def secret(self, session: Session, gtin: str, field: str) -> bytes:
        """The secret of a product. Raises LifecycleError when it is not commissioned here."""
        known = session.get(ProductSecret, gtin)
        if known is None:
            raise LifecycleError(
                "this GTIN is not set up here: add it under /products, and have the authority register it",
                field=field,
                value=gtin,
                rule="packtrace: products",
            )
        return known.secret
