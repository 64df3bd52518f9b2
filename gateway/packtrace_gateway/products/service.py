"""Product secrets, and what the licensing authority needs to register a product."""

import secrets

from sqlmodel import Session

from packtrace.errors import LifecycleError
from packtrace.product import SECRET_BYTES, gtin_hash, product_key
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import ProductSecret
from packtrace_gateway.problems import AlreadyExistsError


class ProductService:
    """The products that are commissioned here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, gtin: str, secret: bytes | None) -> dict[str, str]:
        """Keep a product's secret: a fresh one, or the one that a contract manufacturer got from its principal.

        Returns the hashes that the licensing authority registers.
        """
        with self._database.write() as session:
            known = session.get(ProductSecret, gtin)
            if known is not None and secret not in (None, known.secret):
                raise AlreadyExistsError("this GTIN has another secret already", field="gtin", value=gtin)
            if known is None:
                known = ProductSecret(gtin=gtin, secret=secret or secrets.token_bytes(SECRET_BYTES))
                session.add(known)
            return {
                "gtin": gtin,
                "productKey": product_key(known.secret, gtin).hex(),
                "gtinHash": gtin_hash(gtin).hex(),
            }

    def secret(self, session: Session, gtin: str, field: str) -> bytes:
        """The secret of a product. Raises LifecycleError when it is not commissioned here."""
        known = session.get(ProductSecret, gtin)
        if known is None:
            raise LifecycleError(
                "this GTIN is not set up here: add it under /products, and have the authority register it",
                field=field,
                value=gtin,
            )
        return known.secret
