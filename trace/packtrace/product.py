"""A product's data and the keys under which the chain knows it.

Keys of product and lot are HMACs under a product secret that travels with the goods, so that the chain does not name a
GTIN or a lot to those who do not trade it.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from packtrace.errors import EvidenceError, IdentifierError
from packtrace.gs1 import keys, read_iso_date

SECRET_BYTES = 32
SECRET = re.compile(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Product:
    """What a pack's label says besides its serial number, and the secret behind its keys. `gtin` has 14 digits."""

    gtin: str
    lot: str
    expiry: date
    secret: bytes

    @property
    def product_key(self) -> bytes:
        return product_key(self.secret, self.gtin)

    @property
    def lot_key(self) -> bytes:
        return lot_key(self.secret, self.gtin, self.lot)

    def to_json(self) -> dict[str, Any]:
        return {"gtin": self.gtin, "lot": self.lot, "expiry": self.expiry.isoformat(), "secret": self.secret.hex()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Product":
        """Raises EvidenceError when the data is not a product's."""
        try:
            gtin, lot, expiry, secret = (data[name] for name in ("gtin", "lot", "expiry", "secret"))
            if len(gtin) != keys.GTIN_DIGITS:
                raise IdentifierError("a GTIN has 14 digits here", field="gtin", value=gtin)
            if not SECRET.fullmatch(secret):
                raise EvidenceError("a product secret has 32 bytes", field="product.secret")
            return Product(keys.gtin(gtin), keys.lot(lot), read_iso_date(expiry), bytes.fromhex(secret))
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"the product data is not complete: {error!r}", field="product") from error


def product_key(secret: bytes, gtin: str) -> bytes:
    """HMAC-SHA-256(secret, "packtrace/product/v1" ‖ GTIN-14): the product on chain."""
    return hmac.digest(secret, b"packtrace/product/v1" + gtin.encode(), "sha256")


def lot_key(secret: bytes, gtin: str, lot: str) -> bytes:
    """HMAC-SHA-256(secret, "packtrace/lot/v1" ‖ GTIN-14 ‖ lot): the lot on chain."""
    return hmac.digest(secret, b"packtrace/lot/v1" + gtin.encode() + lot.encode(), "sha256")


def gtin_hash(gtin: str) -> bytes:
    """SHA-256("packtrace/gtin/v1" ‖ GTIN-14): under which a GTIN's marketing authorisation holder is found."""
    return sha256(b"packtrace/gtin/v1" + gtin.encode()).digest()


def gln_commitment(salt: bytes, gln: str) -> bytes:
    """SHA-256("packtrace/gln/v1" ‖ 16-byte salt ‖ GLN of 13 digits): a place on chain."""
    return sha256(b"packtrace/gln/v1" + salt + gln.encode()).digest()


def sscc_commitment(salt: bytes, sscc: str) -> bytes:
    """SHA-256("packtrace/sscc/v1" ‖ 16-byte salt ‖ SSCC of 18 digits): a logistic unit on chain."""
    return sha256(b"packtrace/sscc/v1" + salt + sscc.encode()).digest()
