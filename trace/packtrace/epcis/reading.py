"""EPCIS 2.0 documents and events in JSON and JSON-LD, read and checked (GS1 EPCIS 2.0, section 7.4 and its JSON-LD
binding).

Whatever GS1's JSON Schema refuses is refused, and what it lets through although the standard does not: unknown words,
times in another format, fields without a declared namespace, wrong identifiers, an EPC that stands in an event twice.
Nothing outside the document is asked, no clock either.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from packtrace.epcis.context import GS1_CONTEXT, Context
from packtrace.epcis.events import read_fields
from packtrace.epcis.extensions import ExtensionReader
from packtrace.epcis.model import Event
from packtrace.epcis.values import BOUND, below, first_repeated, listing, members, moment, refusal, required, text, uri
from packtrace.errors import DocumentError

# One commissioning event of a million serial numbers is 51 to 60 MB of JSON.
MAX_DOCUMENT_BYTES = 128 * 1024 * 1024
# Two bytes of JSON can cost 60 bytes of memory and more: containers and members are counted before parsing. A document
# of a million EPCs has a million commas; one of 100,000 line events about 1.5 million, and half as many containers.
MAX_DOCUMENT_CONTAINERS = 1_000_000
MAX_DOCUMENT_COMMAS = 3_000_000
MAX_EVENTS = 100_000

VERSION = re.compile(r"2(\.\d+)*", re.ASCII)
DOCUMENT_FIELDS = frozenset(
    {
        "@context",
        "id",
        "type",
        "schemaVersion",
        "creationDate",
        "instanceIdentifier",
        "sender",
        "receiver",
        "epcisHeader",
        "epcisBody",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An EPCIS document: its events and what its sender says about itself. A bare event has no creation date."""

    events: list[Event]
    creation_date: str | None = None
    id: str | None = None
    instance_identifier: str | None = None
    sender: str | None = None
    receiver: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)


def read_document(data: bytes, *, unique_items: bool = True) -> Document:
    """An EPCISDocument, or a bare event as a document of one. Raises DocumentError.

    Without `unique_items` an event may name an EPC twice: enough to compute its hash, not to record it.
    """
    given = members(parse(data), "")
    if given.get("type") != "EPCISDocument":
        return Document(events=[read_event(given, unique_items=unique_items)])
    context = Context().extended(required(given, "@context", ""), "@context")
    _require_standard(context)
    if not VERSION.fullmatch(text(required(given, "schemaVersion", ""), "schemaVersion")):
        raise refusal(
            "only EPCIS 2 is read: schemaVersion 2.0",
            "schemaVersion",
            given["schemaVersion"],
            rule="packtrace: EPCIS 2 only",
        )
    if given.get("epcisHeader", {}) != {}:
        raise refusal(
            "master data and other content of the header are not read: send the events alone",
            "epcisHeader",
            rule="packtrace: events only",
        )
    body = members(required(given, "epcisBody", ""), "epcisBody")
    if set(body) - {"eventList"}:
        raise refusal("the body has an eventList and nothing else", "epcisBody", body, rule="EPCIS 2.0 JSON Schema")
    events = listing(required(body, "eventList", "epcisBody"), "epcisBody.eventList")
    if len(events) > MAX_EVENTS:
        raise refusal(
            f"a document has at most {MAX_EVENTS} events: split it", "epcisBody.eventList", events, rule=BOUND
        )
    return Document(
        creation_date=moment(required(given, "creationDate", ""), "creationDate"),
        id=uri(given["id"], "id") if "id" in given else None,
        instance_identifier=_optional_text(given, "instanceIdentifier"),
        sender=_optional_text(given, "sender"),
        receiver=_optional_text(given, "receiver"),
        extensions=ExtensionReader(context).fields(
            {key: value for key, value in given.items() if key not in DOCUMENT_FIELDS}, ""
        ),
        events=[
            _read_event(event, f"epcisBody.eventList[{index}]", context, unique_items)
            for index, event in enumerate(events)
        ],
    )


def read_event(given: dict[str, Any], context: Context | None = None, *, unique_items: bool = True) -> Event:
    """One event on its own, with its ``@context`` or under a given one. Raises DocumentError."""
    if context is None:
        required(members(given, ""), "@context", "")
    return _read_event(given, "", context or Context(), unique_items)


def _read_event(given: object, path: str, context: Context, unique_items: bool) -> Event:
    event = members(given, path)
    if "@context" in event:
        context = context.extended(event["@context"], below(path, "@context"))
    _require_standard(context)
    return read_fields(event, path, context, unique_items)


def parse(data: bytes) -> Any:
    """The JSON value in `data`, bounded; each member of an object once. Raises DocumentError."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise refusal(f"a document has at most {MAX_DOCUMENT_BYTES} bytes: split it", "", len(data), rule=BOUND)
    containers = data.count(b"{") + data.count(b"[")
    if containers > MAX_DOCUMENT_CONTAINERS or data.count(b",") > MAX_DOCUMENT_COMMAS:
        raise refusal(
            f"a document has at most {MAX_DOCUMENT_CONTAINERS} objects and lists and {MAX_DOCUMENT_COMMAS} commas: "
            "split it",
            "",
            containers,
            rule=BOUND,
        )
    try:
        # First: it bounds the depth by itself. Python's own parser does so only by the recursion limit, which a library
        # below eth-account raises so far that deep nesting would overflow the C stack.
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error):
            raise _too_deep() from error
        raise refusal(f"this is not a whole JSON document: {error}", "", rule="RFC 8259") from error
    _refuse_repeated_names(data)
    return value


def _too_deep() -> DocumentError:
    return refusal("this document is nested too deep: flatten it", "", rule="RFC 8259, section 9")


def _refuse_repeated_names(data: bytes) -> None:
    """Two members of one name: readers disagree which one counts, and orjson drops the first without a word."""

    def once(pairs: list[tuple[str, Any]]) -> None:
        repeated = first_repeated([name for name, _ in pairs])
        if repeated is not None:
            name = pairs[repeated][0]
            raise refusal("this name stands in one object twice: take one out", name, name, rule="RFC 7493, 2.3")

    try:
        json.loads(data, object_pairs_hook=once)
    except RecursionError as error:
        raise _too_deep() from error


def _require_standard(context: Context) -> None:
    if not context.standard:
        raise refusal(f"the context must name GS1's: add {GS1_CONTEXT}", "@context", rule="EPCIS 2.0, JSON-LD binding")


def _optional_text(given: dict[str, Any], key: str) -> str | None:
    return text(given[key], key) if key in given else None
