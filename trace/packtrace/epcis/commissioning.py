"""What a commissioning event says about the product: GTIN, lot and expiry of the packs that it brings into being."""

from dataclasses import dataclass
from datetime import date

from packtrace.epcis.context import MASTER_DATA
from packtrace.epcis.model import Event
from packtrace.epcis.values import refusal
from packtrace.errors import IdentifierError
from packtrace.gs1 import keys, read_iso_date, split_sgtin_uri

LOT = f"{{{MASTER_DATA}}}lotNumber"
EXPIRY = f"{{{MASTER_DATA}}}itemExpirationDate"
PRODUCTION = f"{{{MASTER_DATA}}}productionDate"
ONE_PRODUCT = "packtrace: one GTIN, lot and expiry in a batch"
# Where the serial number of a canonical SGTIN URI begins: all before is the same in all packs of a product.
HEAD = len("https://id.gs1.org/01/12345678901231/21/")


@dataclass(frozen=True, slots=True)
class ProductData:
    """GTIN (14 digits), lot, and the last day on which a pack may be used."""

    gtin: str
    lot: str
    expiry: date


def product_data(event: Event) -> ProductData | None:
    """The product that `event` commissions; None unless it commissions serialised packs.

    Raises DocumentError when the packs are not of one GTIN, or their lot or expiry is missing or wrong.
    """
    if event.type != "ObjectEvent" or event.action != "ADD" or event.biz_step != "commissioning":
        return None
    heads = {uri[:HEAD] for uri in event.epcs}
    if not any(split_sgtin_uri(head + "0") for head in heads):
        return None
    if len(heads) > 1:
        first = event.epcs[0][:HEAD]
        index = next(index for index, uri in enumerate(event.epcs) if not uri.startswith(first))
        raise refusal(
            f"a batch has packs of one GTIN only: commission this in an event of its own ({first} came first)",
            f"epcList[{index}]",
            event.epcs[index],
            rule=ONE_PRODUCT,
        )
    found = split_sgtin_uri(event.epcs[0])
    if event.quantities or found is None:
        raise refusal(
            "a batch has serialised packs only: report quantities in an event of their own",
            "quantityList",
            event.quantities,
            rule=ONE_PRODUCT,
        )
    lot = _required(event, LOT, "cbvmda:lotNumber")
    try:
        keys.lot(lot)
    except IdentifierError as error:
        raise refusal(error.message, "ilmd.cbvmda:lotNumber", lot, rule=error.rule) from error
    expiry = _day(_required(event, EXPIRY, "cbvmda:itemExpirationDate"), "cbvmda:itemExpirationDate")
    if PRODUCTION in event.ilmd:
        production = _day(_required(event, PRODUCTION, "cbvmda:productionDate"), "cbvmda:productionDate")
        if expiry < production:
            raise refusal(
                f"these packs would expire before they were made ({production}): correct one of the dates",
                "ilmd.cbvmda:itemExpirationDate",
                expiry.isoformat(),
                rule="packtrace: expiry before production",
            )
    return ProductData(found[0], lot, expiry)


def _required(event: Event, name: str, key: str) -> str:
    value = event.ilmd.get(name)
    if not isinstance(value, str):
        raise refusal(
            "commissioning packs needs lot and expiry in the event's ilmd, each once and as a string: add it",
            f"ilmd.{key}",
            value,
            rule="CBV 2.0 (ILMD); Delegated Regulation (EU) 2016/161, Art. 4",
        )
    return value


def _day(written: str, key: str) -> date:
    try:
        return read_iso_date(written)
    except IdentifierError as error:
        raise refusal(error.message, f"ilmd.{key}", written, rule=error.rule) from error
