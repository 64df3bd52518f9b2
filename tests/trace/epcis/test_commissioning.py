"""The product that a commissioning event brings into being."""

from datetime import date
from typing import Any

import pytest

from packtrace.epcis import ProductData, product_data, read_event
from packtrace.errors import DocumentError

Json = dict[str, Any]
EXPIRY = "cbvmda:itemExpirationDate"
LOT = "cbvmda:lotNumber"


def test_gtin_lot_and_expiry_are_found(commissioning: Json) -> None:
    assert product_data(read_event(commissioning)) == ProductData("04012345123456", "L-1", date(2029, 12, 31))


def test_production_date_before_expiry_is_good(commissioning: Json) -> None:
    commissioning["ilmd"]["cbvmda:productionDate"] = "2029-12-31"
    assert product_data(read_event(commissioning)) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"bizStep": "encoding"},
        {"action": "OBSERVE", "ilmd": None},
        {"epcList": ["urn:epc:id:sscc:4012345.0000000333", "urn:epc:id:sscc:4012345.0000000111"]},
        {"epcList": [], "quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.L-1", "quantity": 5}]},
    ],
)
def test_other_events_commission_no_packs(commissioning: Json, fields: Json) -> None:
    event = {key: value for key, value in {**commissioning, **fields}.items() if value is not None}
    assert product_data(read_event(event)) is None


def test_an_aggregation_commissions_no_packs(packing: Json) -> None:
    assert product_data(read_event(packing)) is None


ILMD: dict[str, tuple[Json, str, str]] = {
    "no lot": ({EXPIRY: "2029-12-31"}, LOT, "lot and expiry"),
    "no expiry": ({LOT: "L-1"}, EXPIRY, "lot and expiry"),
    "two lots": ({LOT: ["L-1", "L-2"], EXPIRY: "2029-12-31"}, LOT, "each once"),
    "lot as a number": ({LOT: 4711, EXPIRY: "2029-12-31"}, LOT, "string"),
    "empty lot": ({LOT: "", EXPIRY: "2029-12-31"}, LOT, ""),
    "lot with a blank": ({LOT: "L 1", EXPIRY: "2029-12-31"}, LOT, ""),
    "lot of 21 characters": ({LOT: "L" * 21, EXPIRY: "2029-12-31"}, LOT, ""),
    "expiry as on a label": ({LOT: "L-1", EXPIRY: "291231"}, EXPIRY, "YYYY-MM-DD"),
    "expiry on a day that is none": ({LOT: "L-1", EXPIRY: "2029-02-30"}, EXPIRY, "YYYY-MM-DD"),
    "expiry with a time": ({LOT: "L-1", EXPIRY: "2029-12-31T00:00:00Z"}, EXPIRY, "YYYY-MM-DD"),
    "expiry before production": (
        {LOT: "L-1", EXPIRY: "2029-12-31", "cbvmda:productionDate": "2030-01-01"},
        EXPIRY,
        "before they were made (2030-01-01)",
    ),
    "wrong production date": (
        {LOT: "L-1", EXPIRY: "2029-12-31", "cbvmda:productionDate": "last week"},
        "cbvmda:productionDate",
        "YYYY-MM-DD",
    ),
}


@pytest.mark.parametrize(("ilmd", "field", "word"), ILMD.values(), ids=ILMD)
def test_wrong_product_data_are_refused(commissioning: Json, ilmd: Json, field: str, word: str) -> None:
    with pytest.raises(DocumentError) as caught:
        product_data(read_event({**commissioning, "ilmd": ilmd}))
    assert caught.value.field == f"ilmd.{field}"
    assert word in caught.value.message
    assert caught.value.rule


@pytest.mark.parametrize(
    "second", ["urn:epc:id:sgtin:4012345.099999.S3", "urn:epc:id:sscc:4012345.0000000333", "urn:x:3"]
)
def test_packs_of_two_products_are_refused(commissioning: Json, second: str) -> None:
    commissioning["epcList"].append(second)
    with pytest.raises(DocumentError) as caught:
        product_data(read_event(commissioning))
    assert caught.value.field == "epcList[2]"
    assert "one GTIN" in caught.value.message


def test_packs_and_quantities_in_one_event_are_refused(commissioning: Json) -> None:
    commissioning["quantityList"] = [{"epcClass": "urn:epc:class:lgtin:4012345.012345.L-1", "quantity": 5}]
    with pytest.raises(DocumentError) as caught:
        product_data(read_event(commissioning))
    assert caught.value.field == "quantityList"
