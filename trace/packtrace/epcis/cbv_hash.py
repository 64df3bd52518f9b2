"""The CBV 2.0 event hash: one identifier for one event, whatever syntax it is written in (GS1 CBV 2.0, section 8.9).

Fields stand in a fixed order, lists are sorted, identifiers and words are written in their one web form; `recordTime`,
`eventID`, `errorDeclaration` and comments do not count. Where the standard's text leaves room, the published test
vectors decide, and where they are silent the tool that made them (epcis-event-hash-generator 1.9.3): after the sensor
data stand the lists of business transactions and destinations, ILMD, the list of sources and the extensions, in the
order of their names. In three things we keep to the text and not to the tool: text is not taken for a number, so that
lots 0012 and 12E4 differ from 12 and 120000 (only zeros at the end of decimals go); a boolean is written as in XML; a
prefix that GS1's context defines is expanded.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from packtrace.epcis.context import GS1_PREFIXES
from packtrace.epcis.model import Event, Typed
from packtrace.epcis.sensors import METADATA, REPORT
from packtrace.epcis.values import decimal_text
from packtrace.epcis.vocabulary import (
    BIZ_STEP,
    BIZ_TRANSACTION,
    COMPONENT,
    DISPOSITION,
    ERROR_REASON,
    MEASUREMENT,
    SENSOR_ALERT,
    SOURCE_DESTINATION,
    Vocabulary,
)
from packtrace.errors import IdentifierError
from packtrace.gs1 import canonical_uri, cbv_uri

COMMENT = f"{{{GS1_PREFIXES['rdfs']}}}comment"
TRAILING_ZEROS = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+|(\.\d*[1-9])0*)", re.ASCII)
WORDS_OF_REPORT = {"type": MEASUREMENT, "exception": SENSOR_ALERT, "component": COMPONENT}
URN_WORDS = (BIZ_STEP, DISPOSITION, BIZ_TRANSACTION, SOURCE_DESTINATION, ERROR_REASON)


def event_hash(event: Event) -> str:
    """``ni:///sha-256;…?ver=CBV2.0`` for an event. It is unsalted: whoever has it can test guesses about the event."""
    return f"ni:///sha-256;{sha256(pre_hash(event).encode()).hexdigest()}?ver=CBV2.0"


def pre_hash(event: Event) -> str:
    """The string that is hashed."""
    tail = [
        *_typed_list("bizTransactionList", "bizTransaction", event.biz_transactions, BIZ_TRANSACTION),
        *_typed_list("destinationList", "destination", event.destinations, SOURCE_DESTINATION),
        *_typed_list("sourceList", "source", event.sources, SOURCE_DESTINATION),
        *(["ilmd" + _extensions(event.ilmd)] if event.ilmd else []),
        *_extension_parts(event.extensions),
    ]
    return "".join(
        [
            f"eventType={event.type}",
            f"eventTime={event.event_time}",
            f"eventTimeZoneOffset={event.event_time_zone_offset}",
            *sorted(f"certificationInfo={_text(info)}" for info in event.certification_info),
            _epc_list("epcList", event.epcs),
            f"parentID={cbv_uri(event.parent)}" if event.parent else "",
            _epc_list("childEPCs", event.children),
            _quantity_list(event),
            f"action={event.action}",
            f"bizStep={BIZ_STEP.uri(event.biz_step)}" if event.biz_step else "",
            f"disposition={DISPOSITION.uri(event.disposition)}" if event.disposition else "",
            _persistent_disposition(event.persistent_disposition),
            _place("readPoint", event.read_point, event.read_point_extensions),
            _place("bizLocation", event.biz_location, event.biz_location_extensions),
            _sensor_element_list(event.sensor_elements),
            *sorted(tail),
        ]
    )


def _epc_list(name: str, uris: list[str]) -> str:
    if not uris:
        return ""
    joined = "epc=".join(["", *sorted(uris)])
    if "%" in joined:  # only escaped characters are written differently in the hash
        joined = "epc=".join(["", *sorted(map(cbv_uri, uris))])
    return name + joined


def _quantity_list(event: Event) -> str:
    if not event.quantities:
        return ""
    elements = sorted(
        f"quantityElementepcClass={cbv_uri(quantity.epc_class)}"
        + (f"quantity={quantity.quantity}" if quantity.quantity is not None else "")
        + (f"uom={quantity.uom}" if quantity.uom is not None else "")
        for quantity in event.quantities
    )
    return ("quantityList" if event.type == "ObjectEvent" else "childQuantityList") + "".join(elements)


def _persistent_disposition(given: Mapping[str, Iterable[str]] | None) -> str:
    if not given:
        return ""
    parts = (sorted(f"{part}={DISPOSITION.uri(word)}" for word in given.get(part, ())) for part in ("set", "unset"))
    return "persistentDisposition" + "".join(entry for part in parts for entry in part)


def _place(name: str, uri: str | None, extensions: dict[str, Any]) -> str:
    return f"{name}id={cbv_uri(uri)}{_extensions(extensions)}" if uri else ""


def _typed_list(name: str, key: str, entries: tuple[Typed, ...], vocabulary: Vocabulary) -> list[str]:
    if not entries:
        return []
    parts = sorted(
        (f"type={vocabulary.uri(entry.type)}" if entry.type else "") + f"{key}={cbv_uri(entry.id)}" for entry in entries
    )
    return [name + "".join(parts)]


def _sensor_element_list(elements: tuple[dict[str, Any], ...]) -> str:
    return "sensorElementList" + "".join(sorted(map(_sensor_element, elements))) if elements else ""


def _sensor_element(element: dict[str, Any]) -> str:
    metadata = _sensor_fields(element.get("sensorMetadata", {}), METADATA)
    reports = sorted("sensorReport" + _sensor_fields(report, REPORT) for report in element["sensorReport"])
    others = {key: value for key, value in element.items() if key.startswith("{")}
    return "sensorElement" + (f"sensorMetadata{metadata}" if metadata else "") + "".join(reports) + _extensions(others)


def _sensor_fields(given: dict[str, Any], order: Iterable[str]) -> str:
    standard = [f"{key}={_sensor_value(key, given[key], order is REPORT)}" for key in order if key in given]
    return "".join(standard) + _extensions({key: value for key, value in given.items() if key.startswith("{")})


def _sensor_value(key: str, value: Any, in_report: bool) -> str:
    if in_report and key in WORDS_OF_REPORT:
        return WORDS_OF_REPORT[key].uri(value)
    return _scalar(value)


def _extensions(given: dict[str, Any]) -> str:
    return "".join(sorted(_extension_parts(given)))


def _extension_parts(given: dict[str, Any]) -> list[str]:
    return [part for name, value in given.items() if name != COMMENT for part in _extension(name, value)]


def _extension(name: str, value: Any) -> list[str]:
    """One field; a list is its field repeated."""
    if isinstance(value, list):
        return [part for entry in value for part in _extension(name, entry)]
    if isinstance(value, dict):
        return [name + _extensions(value)]
    written = _scalar(value)
    return [f"{name}={written}" if written else name]


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return decimal_text(value)
    return _text(value)


def _text(value: str) -> str:
    """Text in its one form: trimmed, decimals without zeros at the end, words and identifiers in their web form."""
    value = value.strip()
    if decimal := TRAILING_ZEROS.fullmatch(value):
        whole, decimals = decimal.groups()
        return whole + decimals if decimals else ("0" if whole == "-0" else whole)
    if value.startswith("urn:epcglobal:cbv:"):
        for vocabulary in URN_WORDS:
            if value.startswith(vocabulary.urn):
                return vocabulary.web + value.removeprefix(vocabulary.urn)
    if value.startswith(("urn:epc:", "http://", "https://")):
        try:
            # A compressed link stays as written: who else computes the hash of such a field does not look into it.
            return cbv_uri(canonical_uri(value, compressed=False))
        except IdentifierError:
            return value  # a sender's own field may hold what it likes
    return value
