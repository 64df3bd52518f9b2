"""The fields of an ObjectEvent and of an AggregationEvent (EPCIS 2.0, sections 7.4.1 to 7.4.3)."""

import re
from typing import Any, cast

from packtrace.epcis.context import Context
from packtrace.epcis.extensions import ExtensionReader
from packtrace.epcis.identifiers import identifier, instance, instances, object_class
from packtrace.epcis.model import Action, ErrorDeclaration, Event, EventType, Quantity, Typed
from packtrace.epcis.sensors import read_sensor_element
from packtrace.epcis.values import (
    below,
    decimal_text,
    first_repeated,
    listing,
    members,
    moment,
    number,
    offset,
    only,
    refusal,
    required,
    text,
    uri,
)
from packtrace.epcis.vocabulary import (
    BIZ_STEP,
    BIZ_TRANSACTION,
    DISPOSITION,
    ERROR_REASON,
    SOURCE_DESTINATION,
    Vocabulary,
)

COMMON = frozenset(
    {
        "@context",
        "type",
        "eventTime",
        "recordTime",
        "eventTimeZoneOffset",
        "eventID",
        "certificationInfo",
        "errorDeclaration",
        "action",
        "bizStep",
        "disposition",
        "readPoint",
        "bizLocation",
        "bizTransactionList",
        "sourceList",
        "destinationList",
        "sensorElementList",
    }
)
FIELDS = {
    "ObjectEvent": COMMON | {"epcList", "quantityList", "persistentDisposition", "ilmd"},
    "AggregationEvent": COMMON | {"parentID", "childEPCs", "childQuantityList"},
}
NOT_READ = frozenset({"TransactionEvent", "TransformationEvent", "AssociationEvent", "EPCISQueryDocument"})
ACTIONS = frozenset({"ADD", "OBSERVE", "DELETE"})
UNIT = re.compile(r"[A-Z0-9]{2,3}", re.ASCII)


def read_fields(given: dict[str, Any], path: str, context: Context, unique_items: bool) -> Event:
    """The event in `given`, which stands at `path`, under `context`. Raises DocumentError."""
    reader = _EventReader(given, path, context)
    event = reader.read()
    reader.check_whole(event)
    reader.check_times(event)
    if unique_items:
        reader.check_unique(event)
    return event


class _EventReader:
    """Reads one event; every method reads one of its fields."""

    def __init__(self, given: dict[str, Any], path: str, context: Context) -> None:
        self.given, self.path, self.context = given, path, context
        self.extensions = ExtensionReader(context)
        self.type = self._type()
        is_object = self.type == "ObjectEvent"
        self.items, self.quantities = ("epcList", "quantityList") if is_object else ("childEPCs", "childQuantityList")

    def read(self) -> Event:
        is_object = self.type == "ObjectEvent"
        items = instances(self._list(self.items), self.at(self.items), self.context)
        read_point, read_point_extensions = self._place("readPoint")
        biz_location, biz_location_extensions = self._place("bizLocation")
        return Event(
            type=self.type,
            action=self._action(),
            event_time=moment(self.required("eventTime"), self.at("eventTime")),
            event_time_zone_offset=offset(self.required("eventTimeZoneOffset"), self.at("eventTimeZoneOffset")),
            event_id=self._uri("eventID"),
            record_time=self._moment("recordTime"),
            biz_step=self._word("bizStep", BIZ_STEP),
            disposition=self._word("disposition", DISPOSITION),
            read_point=read_point,
            read_point_extensions=read_point_extensions,
            biz_location=biz_location,
            biz_location_extensions=biz_location_extensions,
            epcs=items if is_object else [],
            parent=self._parent(),
            children=[] if is_object else items,
            quantities=tuple(self._quantity(*entry) for entry in self._entries(self.quantities)),
            biz_transactions=self._typed("bizTransactionList", "bizTransaction", BIZ_TRANSACTION),
            sources=self._typed("sourceList", "source", SOURCE_DESTINATION),
            destinations=self._typed("destinationList", "destination", SOURCE_DESTINATION),
            persistent_disposition=self._persistent_disposition(),
            ilmd=self._ilmd(),
            sensor_elements=tuple(
                read_sensor_element(entry, place, self.extensions)
                for entry, place in self._entries("sensorElementList")
            ),
            certification_info=self._certification_info(),
            error_declaration=self._error_declaration(),
            extensions=self.extensions.fields(
                {key: value for key, value in self.given.items() if key not in FIELDS[self.type]}, self.path
            ),
        )

    def check_whole(self, event: Event) -> None:
        """That the event says what happened to which objects."""
        if event.type == "ObjectEvent":
            if not (event.epcs or event.quantities or (event.sensor_elements and event.read_point)):
                raise refusal(
                    "this event names no object: fill epcList or quantityList, or give sensor data with a read point",
                    self.at("epcList"),
                    rule="EPCIS 2.0, 7.4.2",
                )
            return
        if event.parent is None and event.action != "OBSERVE":
            raise refusal(
                f"an aggregation with action {event.action} names its parent: add parentID",
                self.at("parentID"),
                rule="EPCIS 2.0, 7.4.3",
            )
        if not (event.children or event.quantities) and event.action != "DELETE":
            raise refusal(
                "this aggregation names no child: fill childEPCs or childQuantityList (only DELETE may leave both out)",
                self.at("childEPCs"),
                rule="EPCIS 2.0, 7.4.3",
            )
        if event.parent is not None and event.parent in event.children:
            index = event.children.index(event.parent)
            raise refusal(
                "nothing is inside itself: take the parent out of its children",
                f"{self.at('childEPCs')}[{index}]",
                self.given["childEPCs"][index],
                rule="EPCIS 2.0, 7.4.3",
            )

    def check_times(self, event: Event) -> None:
        if event.record_time is not None and event.record_time < event.event_time:
            raise refusal(
                "nothing is recorded before it happened: correct eventTime, or leave recordTime to the recorder",
                self.at("recordTime"),
                event.record_time,
                rule="EPCIS 2.0, 7.4.1",
            )

    def check_unique(self, event: Event) -> None:
        index = first_repeated(event.epcs or event.children)
        if index is not None:
            raise refusal(
                "this EPC stands in the list twice, perhaps in another spelling: take one out",
                f"{self.at(self.items)}[{index}]",
                self.given[self.items][index],
                rule="EPCIS 2.0, 7.4 (a list of EPCs is a set)",
            )

    def at(self, key: str) -> str:
        return below(self.path, key)

    def required(self, key: str) -> Any:
        return required(self.given, key, self.path)

    def _list(self, key: str) -> list[Any]:
        return listing(self.given.get(key, []), self.at(key))

    def _entries(self, key: str) -> list[tuple[Any, str]]:
        if key not in self.given:
            return []
        return [(entry, f"{self.at(key)}[{index}]") for index, entry in enumerate(self._list(key))]

    def _type(self) -> EventType:
        written = text(self.required("type"), self.at("type"))
        if written in FIELDS:
            return cast(EventType, written)
        if written in NOT_READ:
            message = f"{written} is not read yet: only ObjectEvent and AggregationEvent are"
        else:
            message = "there is no such event: write ObjectEvent or AggregationEvent"
        raise refusal(message, self.at("type"), written, rule="EPCIS 2.0, 7.4")

    def _action(self) -> Action:
        written = text(self.required("action"), self.at("action"))
        if written not in ACTIONS:
            raise refusal("write ADD, OBSERVE or DELETE here", self.at("action"), written, rule="EPCIS 2.0, 7.3.2")
        return cast(Action, written)

    def _uri(self, key: str) -> str | None:
        return uri(self.given[key], self.at(key)) if key in self.given else None

    def _moment(self, key: str) -> str | None:
        return moment(self.given[key], self.at(key)) if key in self.given else None

    def _word(self, key: str, vocabulary: Vocabulary) -> str | None:
        return vocabulary.read(self.given[key], self.at(key), self.context) if key in self.given else None

    def _place(self, key: str) -> tuple[str | None, dict[str, Any]]:
        if key not in self.given:
            return None, {}
        place = members(self.given[key], self.at(key))
        found = identifier(required(place, "id", self.at(key)), f"{self.at(key)}.id", self.context)
        others = {name: value for name, value in place.items() if name != "id"}
        return found, self.extensions.fields(others, self.at(key))

    def _parent(self) -> str | None:
        if self.type == "ObjectEvent" or "parentID" not in self.given:
            return None
        return instance(self.given["parentID"], self.at("parentID"), self.context)

    def _quantity(self, given: object, path: str) -> Quantity:
        element = members(given, path)
        only(element, frozenset({"epcClass", "quantity", "uom"}), path)
        epc_class = object_class(required(element, "epcClass", path), f"{path}.epcClass", self.context)
        if "quantity" not in element:
            if "uom" in element:
                raise refusal("a unit needs a quantity: add it", f"{path}.quantity", rule="EPCIS 2.0, 7.3.3.3")
            return Quantity(epc_class=epc_class)
        quantity = number(element["quantity"], f"{path}.quantity")
        if quantity <= 0 or ("uom" not in element and quantity != int(quantity)):
            raise refusal(
                "a quantity is positive, and whole where no unit is given",
                f"{path}.quantity",
                quantity,
                rule="EPCIS 2.0, 7.3.3.3",
            )
        uom = text(element["uom"], f"{path}.uom") if "uom" in element else None
        if uom is not None and not UNIT.fullmatch(uom):
            raise refusal("write a unit's code, as KGM", f"{path}.uom", uom, rule="UN/CEFACT Recommendation 20")
        return Quantity(epc_class=epc_class, quantity=decimal_text(quantity), uom=uom)

    def _typed(self, key: str, name: str, vocabulary: Vocabulary) -> tuple[Typed, ...]:
        read = []
        for entry, path in self._entries(key):
            element = members(entry, path)
            only(element, frozenset({"type", name}), path)
            if name != "bizTransaction":
                required(element, "type", path)
            word = vocabulary.read(element["type"], f"{path}.type", self.context) if "type" in element else None
            found = identifier(required(element, name, path), f"{path}.{name}", self.context)
            read.append(Typed(type=word, id=found))
        return tuple(read)

    def _persistent_disposition(self) -> dict[str, tuple[str, ...]] | None:
        key = "persistentDisposition"
        if self.type != "ObjectEvent" or key not in self.given:
            return None
        path = self.at(key)
        given = members(self.given[key], path)
        only(given, frozenset({"set", "unset"}), path)
        if not given:
            raise refusal("write what is set or unset", path, given, rule="EPCIS 2.0 JSON Schema")
        read: dict[str, tuple[str, ...]] = {}
        for part, words in given.items():
            place = f"{path}.{part}"
            found = [
                DISPOSITION.read(word, f"{place}[{index}]", self.context)
                for index, word in enumerate(listing(words, place, least=1))
            ]
            repeated = first_repeated(found)
            if repeated is not None:
                raise refusal(
                    "this disposition stands here twice",
                    f"{place}[{repeated}]",
                    found[repeated],
                    rule="EPCIS 2.0 JSON Schema",
                )
            read[part] = tuple(found)
        return read

    def _ilmd(self) -> dict[str, Any]:
        if self.type != "ObjectEvent" or "ilmd" not in self.given:
            return {}
        if self.given.get("action") != "ADD":
            raise refusal(
                "only an event with action ADD carries instance or lot master data",
                self.at("ilmd"),
                rule="EPCIS 2.0, 7.4.2",
            )
        return self.extensions.fields(members(self.given["ilmd"], self.at("ilmd")), self.at("ilmd"))

    def _certification_info(self) -> tuple[str, ...]:
        key = "certificationInfo"
        if key not in self.given:
            return ()
        if not isinstance(self.given[key], list):
            return (uri(self.given[key], self.at(key)),)
        return tuple(uri(entry, path) for entry, path in self._entries(key))

    def _error_declaration(self) -> ErrorDeclaration | None:
        key = "errorDeclaration"
        if key not in self.given:
            return None
        path = self.at(key)
        given = members(self.given[key], path)
        standard = ("declarationTime", "reason", "correctiveEventIDs")
        corrective = listing(given.get("correctiveEventIDs", []), f"{path}.correctiveEventIDs")
        return ErrorDeclaration(
            declaration_time=moment(required(given, "declarationTime", path), f"{path}.declarationTime"),
            reason=ERROR_REASON.read(given["reason"], f"{path}.reason", self.context) if "reason" in given else None,
            corrective_event_ids=tuple(
                uri(entry, f"{path}.correctiveEventIDs[{index}]") for index, entry in enumerate(corrective)
            ),
            extensions=self.extensions.fields(
                {name: value for name, value in given.items() if name not in standard}, path
            ),
        )
