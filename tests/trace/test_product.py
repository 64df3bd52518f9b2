"""A product's data as a stranger writes it: exact, or refused."""

from datetime import date
from typing import Any

import pytest

from packtrace.errors import EvidenceError
from packtrace.product import Product

PRODUCT = Product("09506000134352", "ABC123", date(2028, 6, 30), bytes(range(32)))


def test_a_product_comes_back() -> None:
    assert Product.from_json(PRODUCT.to_json()) == PRODUCT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gtin", "9506000134352"),  # 13 digits: with the lot behind it another product's key could come out
        ("gtin", "09506000134353"),
        ("gtin", 9506000134352),
        ("gtin", None),
        ("lot", ""),
        ("lot", "A" * 21),
        ("lot", "\x1b[2JABC"),
        ("lot", "ÄBC"),
        ("lot", 123),
        ("lot", None),
        ("expiry", "20280630"),
        ("expiry", "2028-06-31"),
        ("expiry", "2028-06-30T00:00"),
        ("expiry", None),
        ("secret", "00" * 31),
        ("secret", " " + "00" * 31 + " "),
        ("secret", None),
    ],
)
def test_anything_else_is_refused(name: str, value: Any) -> None:
    with pytest.raises(EvidenceError):
        Product.from_json(PRODUCT.to_json() | {name: value})
    missing = PRODUCT.to_json()
    del missing[name]
    with pytest.raises(EvidenceError):
        Product.from_json(missing)
