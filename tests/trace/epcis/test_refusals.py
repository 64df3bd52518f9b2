"""What must not be read: every refusal names the field, the value and the rule."""

import copy
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from packtrace.epcis import read_document, read_event
from packtrace.epcis.context import GS1_CONTEXT
from packtrace.epcis.extensions import MAX_EXTENSION_CHARACTERS, MAX_EXTENSION_DEPTH, MAX_EXTENSION_VALUES
from packtrace.epcis.reading import MAX_DOCUMENT_BYTES, MAX_DOCUMENT_COMMAS, MAX_DOCUMENT_CONTAINERS, MAX_EVENTS
from packtrace.epcis.values import MAX_NUMBER, MAX_URI_CHARACTERS
from packtrace.errors import DocumentError

Json = dict[str, Any]
ABSENT = object()
SGTIN = "urn:epc:id:sgtin:4012345.012345."
LGTIN = "urn:epc:class:lgtin:4012345.012345.L-1"
SGLN = "urn:epc:id:sgln:4012345.00005.0"
REPORT = {"type": "Temperature", "value": 5.5, "uom": "CEL"}


def nested(depth: int) -> Any:
    value: Any = "leaf"
    for _ in range(depth):
        value = {"example:in": value}
    return value


def changed(event: Json, fields: Json) -> Json:
    whole = {**copy.deepcopy(event), **fields}
    return {key: value for key, value in whole.items() if value is not ABSENT}


# name: (fields changed in a commissioning event, the field that the error names, a word of its message)
OBJECT_EVENTS: dict[str, tuple[Json, str, str]] = {
    "no type": ({"type": ABSENT}, "type", "required"),
    "no event of EPCIS": ({"type": "objectEvent"}, "type", "ObjectEvent"),
    "transaction event": ({"type": "TransactionEvent"}, "type", "not read yet"),
    "transformation event": ({"type": "TransformationEvent"}, "type", "not read yet"),
    "association event": ({"type": "AssociationEvent"}, "type", "not read yet"),
    "type of somebody's own": ({"type": "example:CustomEvent"}, "type", "ObjectEvent"),
    "no action": ({"action": ABSENT}, "action", "required"),
    "unknown action": ({"action": "UPDATE"}, "action", "ADD, OBSERVE or DELETE"),
    "action in small letters": ({"action": "add"}, "action", "ADD, OBSERVE or DELETE"),
    "no time": ({"eventTime": ABSENT}, "eventTime", "required"),
    "time without offset": ({"eventTime": "2026-11-23T05:35:15"}, "eventTime", "Z or an offset"),
    "time with a blank": ({"eventTime": "2026-11-23 05:35:15Z"}, "eventTime", "YYYY-MM-DDThh:mm:ss"),
    "date only": ({"eventTime": "2026-11-23"}, "eventTime", "YYYY-MM-DDThh:mm:ss"),
    "no such day": ({"eventTime": "2026-02-29T05:35:15Z"}, "eventTime", "not a time"),
    "hour 24": ({"eventTime": "2026-11-23T24:00:00Z"}, "eventTime", "not a time"),
    "leap second": ({"eventTime": "2016-12-31T23:59:60Z"}, "eventTime", "not a time"),
    "offset of 15 hours": ({"eventTime": "2026-11-23T05:35:15+15:00"}, "eventTime", "not a time"),
    "before year 1": ({"eventTime": "0001-01-01T00:00:00+01:00"}, "eventTime", "not a time"),
    "after year 9999": ({"eventTime": "9999-12-31T23:59:59.9995Z"}, "eventTime", "not a time"),
    "digits of another script": ({"eventTime": "٢026-11-23T05:35:15Z"}, "eventTime", "not a time"),
    "a thousand decimals": ({"eventTime": f"2026-11-23T05:35:15.{'1' * 1000}Z"}, "eventTime", "not a time"),
    "time as a number": ({"eventTime": 1795412115}, "eventTime", "string"),
    "no offset": ({"eventTimeZoneOffset": ABSENT}, "eventTimeZoneOffset", "required"),
    "offset Z": ({"eventTimeZoneOffset": "Z"}, "eventTimeZoneOffset", "+hh:mm"),
    "offset above 14:00": ({"eventTimeZoneOffset": "+14:30"}, "eventTimeZoneOffset", "14:00"),
    "offset without colon": ({"eventTimeZoneOffset": "+0100"}, "eventTimeZoneOffset", "+hh:mm"),
    "recorded before it happened": ({"recordTime": "2026-11-23T05:35:14Z"}, "recordTime", "before it happened"),
    "record time in another format": ({"recordTime": "yesterday"}, "recordTime", "not a time"),
    "event ID that is no URI": ({"eventID": "event 1"}, "eventID", "not a URI"),
    "event ID that is too long": ({"eventID": "urn:x:" + "1" * MAX_URI_CHARACTERS}, "eventID", "not a URI"),
    "event ID with a broken escape": ({"eventID": "urn:x:%4"}, "eventID", "not a URI"),
    "certificate that is no URI": ({"certificationInfo": ["urn:x:1", "ISO 9001"]}, "certificationInfo[1]", "not a URI"),
    "unknown step": ({"bizStep": "comissioning"}, "bizStep", "Core Business Vocabulary"),
    "unknown step as web URI": ({"bizStep": "https://ref.gs1.org/cbv/BizStep-foo"}, "bizStep", "business step"),
    "unknown step as URN": ({"bizStep": "urn:epcglobal:cbv:bizstep:foo"}, "bizStep", "business step"),
    "unknown step as compact URI": ({"bizStep": "cbv:BizStep-foo"}, "bizStep", "business step"),
    "disposition as step": ({"bizStep": "https://ref.gs1.org/cbv/Disp-active"}, "bizStep", "business step"),
    "step that is no URI": ({"bizStep": "http://example.com/my step"}, "bizStep", "not a URI"),
    "step as a list": ({"bizStep": ["shipping"]}, "bizStep", "string"),
    "unknown disposition": ({"disposition": "ready"}, "disposition", "Core Business Vocabulary"),
    "unknown persistent disposition": (
        {"persistentDisposition": {"set": ["active", "ready"]}},
        "persistentDisposition.set[1]",
        "Core Business Vocabulary",
    ),
    "no persistent disposition": ({"persistentDisposition": {}}, "persistentDisposition", "set or unset"),
    "empty persistent disposition": ({"persistentDisposition": {"unset": []}}, "persistentDisposition.unset", "empty"),
    "repeated persistent disposition": (
        {"persistentDisposition": {"set": ["active", "cbv:Disp-active"]}},
        "persistentDisposition.set[1]",
        "twice",
    ),
    "unknown part of persistent disposition": (
        {"persistentDisposition": {"add": ["active"]}},
        "persistentDisposition.add",
        "not known",
    ),
    "place as a string": ({"readPoint": SGLN}, "readPoint", "object"),
    "place without ID": ({"bizLocation": {"example:name": "gate"}}, "bizLocation.id", "required"),
    "place with a wrong ID": ({"readPoint": {"id": "urn:epc:id:sgln:4012345.5.0"}}, "readPoint.id", ""),
    "place with a bare field": ({"readPoint": {"id": SGLN, "name": "gate"}}, "readPoint.name", "namespace"),
    "EPCs as a string": ({"epcList": SGTIN + "1"}, "epcList", "list"),
    "EPC as a number": ({"epcList": [SGTIN + "1", 2]}, "epcList[1]", "string"),
    "EPC that is no URI": ({"epcList": [SGTIN + "1", "S2"]}, "epcList[1]", "not a URI"),
    "EPC of a wrong form": ({"epcList": [SGTIN + "1", "urn:epc:id:sgtin:4012345.12.1"]}, "epcList[1]", "digits"),
    "EPC with a forbidden character": ({"epcList": [SGTIN + "1%20"]}, "epcList[0]", ""),
    "EPC with a wrong check digit": (
        {"epcList": [SGTIN + "1", SGTIN + "2", "https://id.gs1.org/01/04012345123457/21/3"]},
        "epcList[2]",
        "",
    ),
    "EPC twice": ({"epcList": [SGTIN + "1", SGTIN + "2", SGTIN + "1"]}, "epcList[2]", "twice"),
    "EPC twice in two spellings": (
        {"epcList": [SGTIN + "1", "https://example.org/01/04012345123456/21/1"]},
        "epcList[1]",
        "twice",
    ),
    "GTIN among EPCs": ({"epcList": ["https://id.gs1.org/01/04012345123456"]}, "epcList[0]", "class"),
    "lot among EPCs": ({"epcList": [SGTIN + "1", LGTIN]}, "epcList[1]", "class"),
    "pattern among EPCs": ({"epcList": ["urn:epc:idpat:sgtin:4012345.012345.*"]}, "epcList[0]", "class"),
    "no object": ({"epcList": []}, "epcList", "names no object"),
    "no list of objects": ({"epcList": ABSENT}, "epcList", "names no object"),
    "sensor data without a read point": (
        {"epcList": ABSENT, "readPoint": ABSENT, "sensorElementList": [{"sensorReport": [REPORT]}]},
        "epcList",
        "names no object",
    ),
    "quantity of one object": (
        {"quantityList": [{"epcClass": LGTIN}, {"epcClass": SGTIN + "1"}]},
        "quantityList[1].epcClass",
        "not a class",
    ),
    "quantity without a class": ({"quantityList": [{"quantity": 5}]}, "quantityList[0].epcClass", "required"),
    "quantity as a string": (
        {"quantityList": [{"epcClass": LGTIN, "quantity": "5"}]},
        "quantityList[0].quantity",
        "number",
    ),
    "quantity of nothing": (
        {"quantityList": [{"epcClass": LGTIN, "quantity": 0}]},
        "quantityList[0].quantity",
        "positive",
    ),
    "half a piece": ({"quantityList": [{"epcClass": LGTIN, "quantity": 0.5}]}, "quantityList[0].quantity", "whole"),
    "negative weight": (
        {"quantityList": [{"epcClass": LGTIN, "quantity": -0.5, "uom": "KGM"}]},
        "quantityList[0].quantity",
        "positive",
    ),
    "unit without a quantity": (
        {"quantityList": [{"epcClass": LGTIN, "uom": "KGM"}]},
        "quantityList[0].quantity",
        "needs a quantity",
    ),
    "wrong unit": (
        {"quantityList": [{"epcClass": LGTIN, "quantity": 1, "uom": "kilogram"}]},
        "quantityList[0].uom",
        "KGM",
    ),
    "extension of a quantity": (
        {"quantityList": [{"epcClass": LGTIN, "example:a": "b"}]},
        "quantityList[0].example:a",
        "not known",
    ),
    "unknown transaction type": (
        {"bizTransactionList": [{"type": "order", "bizTransaction": "urn:x:1"}]},
        "bizTransactionList[0].type",
        "business transaction type",
    ),
    "transaction without ID": (
        {"bizTransactionList": [{"type": "po"}]},
        "bizTransactionList[0].bizTransaction",
        "required",
    ),
    "transaction that is no URI": (
        {"bizTransactionList": [{"type": "po", "bizTransaction": "PO 4711"}]},
        "bizTransactionList[0].bizTransaction",
        "URI",
    ),
    "extension of a transaction": (
        {"bizTransactionList": [{"type": "po", "bizTransaction": "urn:x:1", "example:a": "b"}]},
        "bizTransactionList[0].example:a",
        "not known",
    ),
    "source without type": ({"sourceList": [{"source": SGLN}]}, "sourceList[0].type", "required"),
    "unknown source type": (
        {"sourceList": [{"type": "location", "source": SGLN}, {"type": "owner", "source": SGLN}]},
        "sourceList[1].type",
        "source or destination type",
    ),
    "unknown destination type": (
        {"destinationList": [{"type": "urn:epcglobal:cbv:sdt:owner", "destination": SGLN}]},
        "destinationList[0].type",
        "source or destination type",
    ),
    "source among destinations": (
        {"destinationList": [{"type": "location", "source": SGLN}]},
        "destinationList[0].source",
        "not known",
    ),
    "master data with OBSERVE": ({"action": "OBSERVE"}, "ilmd", "ADD"),
    "master data without a namespace": ({"ilmd": {"lotNumber": "L-1"}}, "ilmd.lotNumber", "namespace"),
    "master data with an undeclared prefix": ({"ilmd": {"mda:lotNumber": "L-1"}}, "ilmd.mda:lotNumber", "not declared"),
    "one name in two spellings": (
        {"ilmd": {"cbvmda:lotNumber": "L-1", "urn:epcglobal:cbv:mda:lotNumber": "L-2"}},
        "ilmd.urn:epcglobal:cbv:mda:lotNumber",
        "twice",
    ),
    "master data as a list": ({"ilmd": [{"cbvmda:lotNumber": "L-1"}]}, "ilmd", "object"),
    "children of an object event": ({"childEPCs": [SGTIN + "1"]}, "childEPCs", "not known"),
    "unknown field": ({"colour": "red"}, "colour", "namespace"),
    "extension with an undeclared prefix": ({"ex:colour": "red"}, "ex:colour", "not declared"),
    "nested extension without a namespace": (
        {"example:a": {"example:b": [{"c": 1}]}},
        "example:a.example:b[0].c",
        "namespace",
    ),
    "standard field as an extension": ({"epcis:bizStep": "shipping"}, "epcis:bizStep", "bare name"),
    "standard field by its full name": (
        {"https://ref.gs1.org/epcis/bizStep": "shipping"},
        "https://ref.gs1.org/epcis/bizStep",
        "bare name",
    ),
    "extension with a strange name": ({"example:a/b": "1"}, "example:a/b", "no name"),
    "extension without a name": ({"example:": "1"}, "example:", "no name"),
    "keyword in an extension": ({"example:a": {"@value": "1"}}, "example:a.@value", "namespace"),
    "null": ({"example:a": None}, "example:a", "leave the field out"),
    "list in a list": ({"example:a": ["1", ["2"]]}, "example:a[1]", "list directly in a list"),
    "number that not every reader holds": ({"example:a": MAX_NUMBER + 1}, "example:a", "too large"),
    "deep extension": (
        {"example:a": nested(MAX_EXTENSION_DEPTH)},
        ".".join(["example:a", *["example:in"] * MAX_EXTENSION_DEPTH]),
        "deep",
    ),
    "many extensions": (
        {"ilmd": {}, "example:a": ["1"] * MAX_EXTENSION_VALUES},
        f"example:a[{MAX_EXTENSION_VALUES - 2}]",
        "values",
    ),
    "long extension": ({"example:a": "1" * MAX_EXTENSION_CHARACTERS}, "example:a", "characters"),
    "error declared at no time": ({"errorDeclaration": {}}, "errorDeclaration.declarationTime", "required"),
    "unknown error reason": (
        {"errorDeclaration": {"declarationTime": "2026-11-24T00:00:00Z", "reason": "typo"}},
        "errorDeclaration.reason",
        "error reason",
    ),
    "corrective event that is no URI": (
        {"errorDeclaration": {"declarationTime": "2026-11-24T00:00:00Z", "correctiveEventIDs": ["event 2"]}},
        "errorDeclaration.correctiveEventIDs[0]",
        "not a URI",
    ),
    "bare field in an error declaration": (
        {"errorDeclaration": {"declarationTime": "2026-11-24T00:00:00Z", "why": "typo"}},
        "errorDeclaration.why",
        "namespace",
    ),
    "sensor element without report": ({"sensorElementList": [{}]}, "sensorElementList[0].sensorReport", "required"),
    "sensor element with an empty report": (
        {"sensorElementList": [{"sensorReport": []}]},
        "sensorElementList[0].sensorReport",
        "empty",
    ),
    "report without type": (
        {"sensorElementList": [{"sensorReport": [REPORT, {"value": 1}]}]},
        "sensorElementList[0].sensorReport[1].type",
        "required",
    ),
    "unknown measurement": (
        {"sensorElementList": [{"sensorReport": [{**REPORT, "type": "Heat"}]}]},
        "sensorElementList[0].sensorReport[0].type",
        "measurement type",
    ),
    "measurement as a string": (
        {"sensorElementList": [{"sensorReport": [{**REPORT, "value": "5.5"}]}]},
        "sensorElementList[0].sensorReport[0].value",
        "number",
    ),
    "true as a number": (
        {"sensorElementList": [{"sensorReport": [{**REPORT, "value": True}]}]},
        "sensorElementList[0].sensorReport[0].value",
        "number",
    ),
    "unknown component": (
        {"sensorElementList": [{"sensorReport": [{**REPORT, "component": "w"}]}]},
        "sensorElementList[0].sensorReport[0].component",
        "component",
    ),
    "unknown exception": (
        {"sensorElementList": [{"sensorReport": [{**REPORT, "exception": "FIRE"}]}]},
        "sensorElementList[0].sensorReport[0].exception",
        "sensor alert type",
    ),
    "wrong hexadecimal value": (
        {"sensorElementList": [{"sensorReport": [{"type": "Count", "hexBinaryValue": "0x1f"}]}]},
        "sensorElementList[0].sensorReport[0].hexBinaryValue",
        "hexadecimal",
    ),
    "wrong boolean value": (
        {"sensorElementList": [{"sensorReport": [{"type": "Count", "booleanValue": "true"}]}]},
        "sensorElementList[0].sensorReport[0].booleanValue",
        "true or false",
    ),
    "wrong sensor time": (
        {"sensorElementList": [{"sensorMetadata": {"time": "noon"}, "sensorReport": [REPORT]}]},
        "sensorElementList[0].sensorMetadata.time",
        "not a time",
    ),
    "bare field in sensor data": (
        {"sensorElementList": [{"sensorReport": [{**REPORT, "unit": "C"}]}]},
        "sensorElementList[0].sensorReport[0].unit",
        "namespace",
    ),
    "no context": ({"@context": ABSENT}, "@context", "required"),
    "context without GS1's": ({"@context": {"example": "https://ns.example.com/epcis/"}}, "@context", GS1_CONTEXT),
    "context to fetch": ({"@context": [GS1_CONTEXT, "https://evil.example/context.jsonld"]}, "@context[1]", "fetched"),
    "context that says everything twice": (
        {"@context": [GS1_CONTEXT, {"a": "urn:a:"}, {"a": "urn:a:"}]},
        "@context[2]",
        "twice",
    ),
    "context as a number": ({"@context": 2}, "@context", "object"),
    "default vocabulary": (
        {"@context": [GS1_CONTEXT, {"@vocab": "https://x.example/"}]},
        "@context[1].@vocab",
        "keyword",
    ),
    "another meaning of GS1's prefix": (
        {"@context": [GS1_CONTEXT, {"cbvmda": "https://x.example/"}]},
        "@context[1].cbvmda",
        "protects",
    ),
    "prefix named as a scheme": ({"@context": [GS1_CONTEXT, {"https": "urn:x:"}]}, "@context[1].https", "prefix"),
    "prefix for no namespace": ({"@context": [GS1_CONTEXT, {"a": "b"}]}, "@context[1].a", "not a URI"),
    "prefix as a definition": ({"@context": [GS1_CONTEXT, {"a": {"@id": "urn:x:"}}]}, "@context[1].a", "string"),
    "a thousand prefixes": (
        {"@context": [GS1_CONTEXT, {f"p{n}": f"urn:p{n}:" for n in range(1000)}]},
        "@context[1]",
        "at most",
    ),
    "a thousand contexts": ({"@context": [GS1_CONTEXT] * 1000}, "@context", "at most"),
}

AGGREGATIONS: dict[str, tuple[Json, str, str]] = {
    "packing without a parent": ({"parentID": ABSENT}, "parentID", "names its parent"),
    "unpacking without a parent": ({"parentID": ABSENT, "action": "DELETE"}, "parentID", "names its parent"),
    "packing nothing": ({"childEPCs": []}, "childEPCs", "names no child"),
    "watching nothing": ({"childEPCs": ABSENT, "action": "OBSERVE"}, "childEPCs", "names no child"),
    "parent inside itself": (
        {"childEPCs": [SGTIN + "1", "https://id.gs1.org/00/040123450000003338"]},
        "childEPCs[1]",
        "inside itself",
    ),
    "child twice": ({"childEPCs": [SGTIN + "1", SGTIN + "1"]}, "childEPCs[1]", "twice"),
    "lot among children": ({"childEPCs": [LGTIN]}, "childEPCs[0]", "class"),
    "lot as a parent": ({"parentID": LGTIN}, "parentID", "class"),
    "parent with a wrong check digit": ({"parentID": "https://id.gs1.org/00/040123450000003339"}, "parentID", ""),
    "quantity of one child": (
        {"childQuantityList": [{"epcClass": SGTIN + "1"}]},
        "childQuantityList[0].epcClass",
        "not a class",
    ),
    "EPC list of an object event": ({"epcList": [SGTIN + "1"]}, "epcList", "not known"),
    "master data in an aggregation": ({"ilmd": {"cbvmda:lotNumber": "L-1"}}, "ilmd", "not known"),
    "persistent disposition in an aggregation": (
        {"persistentDisposition": {"set": ["active"]}},
        "persistentDisposition",
        "not known",
    ),
}


def check(error: DocumentError, field: str, word: str) -> None:
    assert error.field == field
    assert word in error.message
    assert error.rule
    assert len(str(error)) < 1500
    assert "\n" not in str(error)


@pytest.mark.parametrize(("fields", "field", "word"), OBJECT_EVENTS.values(), ids=OBJECT_EVENTS)
def test_object_event_is_refused_at_the_field(commissioning: Json, fields: Json, field: str, word: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_event(changed(commissioning, fields))
    check(caught.value, field, word)


@pytest.mark.parametrize(("fields", "field", "word"), AGGREGATIONS.values(), ids=AGGREGATIONS)
def test_aggregation_event_is_refused_at_the_field(packing: Json, fields: Json, field: str, word: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_event(changed(packing, fields))
    check(caught.value, field, word)


DOCUMENTS: dict[str, tuple[Json, str, str]] = {
    "no context": ({"@context": ABSENT}, "@context", "required"),
    "no version": ({"schemaVersion": ABSENT}, "schemaVersion", "required"),
    "EPCIS 1.2": ({"schemaVersion": "1.2"}, "schemaVersion", "EPCIS 2"),
    "version as a number": ({"schemaVersion": 2.0}, "schemaVersion", "string"),
    "no creation date": ({"creationDate": ABSENT}, "creationDate", "required"),
    "wrong creation date": ({"creationDate": "today"}, "creationDate", "not a time"),
    "ID that is no URI": ({"id": "document 1"}, "id", "not a URI"),
    "sender as a number": ({"sender": 4012345000009}, "sender", "string"),
    "master data": ({"epcisHeader": {"epcisMasterData": {"vocabularyList": []}}}, "epcisHeader", "not read"),
    "header as a list": ({"epcisHeader": []}, "epcisHeader", "not read"),
    "no body": ({"epcisBody": ABSENT}, "epcisBody", "required"),
    "body without events": ({"epcisBody": {}}, "epcisBody.eventList", "required"),
    "body with something else": ({"epcisBody": {"eventList": [], "events": []}}, "epcisBody", "nothing else"),
    "events as an object": ({"epcisBody": {"eventList": {}}}, "epcisBody.eventList", "list"),
    "event as a string": ({"epcisBody": {"eventList": ["event"]}}, "epcisBody.eventList[0]", "object"),
    "too many events": ({"epcisBody": {"eventList": [0] * (MAX_EVENTS + 1)}}, "epcisBody.eventList", "split"),
    "unknown field": ({"priority": 1}, "priority", "namespace"),
    "query document": ({"type": "EPCISQueryDocument"}, "type", "not read yet"),
    "no type": ({"type": ABSENT}, "type", "required"),
}


@pytest.mark.parametrize(("fields", "field", "word"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_document_is_refused_at_the_field(
    wrap: Callable[..., Json], packing: Json, fields: Json, field: str, word: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(orjson.dumps(changed(wrap(packing), fields)))
    check(caught.value, field, word)


def test_refusal_in_a_document_names_the_event(wrap: Callable[..., Json], commissioning: Json, packing: Json) -> None:
    packing["childEPCs"][1] = "https://id.gs1.org/01/04012345123457/21/3"
    with pytest.raises(DocumentError) as caught:
        read_document(orjson.dumps(wrap(commissioning, packing)))
    assert caught.value.field == "epcisBody.eventList[1].childEPCs[1]"
    assert caught.value.value == "https://id.gs1.org/01/04012345123457/21/3"
    assert caught.value.rule


BYTES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not a whole JSON document"),
    "cut short": (b'{"@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-con', "not a whole JSON document"),
    "two documents": (b"{} {}", "not a whole JSON document"),
    "XML": (b"<epcis:EPCISDocument/>", "not a whole JSON document"),
    "Latin-1": ('{"type": "Tür"}'.encode("latin-1"), "not a whole JSON document"),
    "UTF-16": ('{"type": "EPCISDocument"}'.encode("utf-16"), "not a whole JSON document"),
    "half a surrogate pair": (rb'{"type": "\ud800"}', "not a whole JSON document"),
    "infinity": (b'{"type": 1e999}', "not a whole JSON document"),
    "not a number": (b'{"type": NaN}', "not a whole JSON document"),
    "a list": (b"[]", "object"),
    "a string": (b'"EPCISDocument"', "object"),
    "one name twice": (b'{"type": "EPCISDocument", "\\u0074ype": "ObjectEvent"}', "twice"),
    "one name twice inside": (b'{"type": "EPCISDocument", "epcisBody": {"a": 1, "b": 2, "a": 3}}', "twice"),
    "10 MB of lists in lists": (b"[" * 5_000_000 + b"]" * 5_000_000, "split it"),
    "10 MB of objects in objects": (b'{"a":' * 2_000_000, "split it"),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deep"),
    "a name twice among half a million": (
        b"{" + b",".join(b'"%d":0' % number for number in [*range(500_000), 499_999]) + b"}",
        "twice",
    ),
    "many empty lists": (b"[" + b"[]," * MAX_DOCUMENT_CONTAINERS + b"[]]", "split it"),
    "many numbers": (b"[" + b"1," * MAX_DOCUMENT_COMMAS + b"1,1]", "split it"),
    "too many bytes": (b" " * (MAX_DOCUMENT_BYTES + 1), "split it"),
}


@pytest.mark.parametrize(("data", "word"), BYTES.values(), ids=BYTES)
def test_bytes_that_are_no_document_are_refused(data: bytes, word: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(data)
    assert word in caught.value.message
    assert caught.value.field
    assert caught.value.rule
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("depth", [100, 500, 900, 950, 990, 1024])
def test_nesting_below_the_parsers_limit_is_refused_where_it_stands(commissioning: Json, depth: int) -> None:
    for key in ("epcList", "bizStep", "example:a", "ilmd", "readPoint", "@context", "sensorElementList"):
        deep = json.dumps(commissioning | {key: "HERE"}).replace('"HERE"', "[" * depth + "]" * depth)
        with pytest.raises(DocumentError):
            read_document(deep.encode())
    twice = json.dumps(commissioning | {"@context": ["HERE"]})
    entry = '{"a:b":' + "[" * depth + "]" * depth + "}"
    with pytest.raises(DocumentError):
        read_document(twice.replace('"HERE"', f"{entry},{entry}").encode())


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "x" * 1_000_000, "y:" + "z" * 1_000_000, "ü\u2028"])
def test_refused_name_is_shown_on_one_line(commissioning: Json, name: str) -> None:
    for event in (commissioning | {name: 1}, commissioning | {"ilmd": {name: "1"}}):
        with pytest.raises(DocumentError) as caught:
            read_event(event)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1500


def test_every_prefix_of_a_document_is_refused(wrap: Callable[..., Json], commissioning: Json) -> None:
    data = orjson.dumps(wrap(commissioning))
    for end in range(len(data)):
        with pytest.raises(DocumentError):
            read_document(data[:end])
