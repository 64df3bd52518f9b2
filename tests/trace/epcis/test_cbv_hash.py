"""The CBV 2.0 event hash on the published vectors, and what must and must not change it."""

import copy
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from packtrace.epcis import event_hash, pre_hash, read_document, read_event
from packtrace.epcis.context import GS1_CONTEXT
from packtrace.gs1 import canonical_uri, parse_digital_link

Json = dict[str, Any]

VECTORS = {
    "ReferenceEventHashAlgorithm": 1,
    "ReferenceEventHashAlgorithm2": 1,
    "ReferenceEventHashAlgorithm3": 1,
    "TimeStampRoundOff": 3,
    "epcisDocWithAllGS1Keys": 1,
    "epcisDocWithVariousEventTypes": 8,
}
# Its published pre-hash string is garbled (its SHA-256 is not the published hash, which is that of the clean string).
GARBLED = "epcisDocWithAllGS1Keys"
OTHER_TYPES = {"TransactionEvent", "TransformationEvent"}


@pytest.mark.standards
@pytest.mark.parametrize("name", VECTORS)
def test_hash_matches_published_vectors(standards: Path, name: str) -> None:
    folder = standards / "epcis" / "hash-vectors"
    given = json.loads((folder / f"{name}.jsonld").read_text())
    hashes = (folder / f"{name}.hashes").read_text().split()
    pre_hashes = (folder / f"{name}.prehashes").read_text().strip().split("\n")
    compared = 0
    for event, expected_hash, expected_pre_hash in zip(
        given["epcisBody"]["eventList"], hashes, pre_hashes, strict=True
    ):
        if event["type"] in OTHER_TYPES:
            continue
        # One vector names an SSCC twice, as URN and as Digital Link: enough for a hash, not for a record.
        read = read_event({"@context": given["@context"], **event}, unique_items=name != GARBLED)
        if name != GARBLED:
            assert pre_hash(read) == expected_pre_hash
        assert event_hash(read) == expected_hash
        compared += 1
    assert compared == VECTORS[name]


@pytest.mark.standards
def test_hash_of_a_whole_vector_document(standards: Path) -> None:
    path = standards / "epcis" / "hash-vectors" / "TimeStampRoundOff"
    found = [event_hash(event) for event in read_document(path.with_suffix(".jsonld").read_bytes()).events]
    assert found == path.with_suffix(".hashes").read_text().split()


def as_json(event: ElementTree.Element) -> Json:
    """An XML event of the few fields that the files below use, in the JSON binding."""
    written: Json = {"@context": GS1_CONTEXT, "type": event.tag}
    for field in event:
        if field.tag in ("epcList", "childEPCs"):
            written[field.tag] = [epc.text for epc in field]
        elif field.tag.endswith("List"):
            written[field.tag] = [{"type": entry.get("type"), entry.tag: entry.text} for entry in field]
        else:
            written[field.tag] = {"id": field[0].text} if len(field) else field.text
    return written


EQUAL = [
    "differentRepresentationsOfAggregationEvent",
    "differentRepresentationsOfObjectEvent",
    "timestampPrecision",
    "timestampTimeZone",
    "timestampTimeZone2",
    "timestampTimeZone3",
]


@pytest.mark.standards
@pytest.mark.parametrize("name", EQUAL)
def test_events_published_as_equal_hash_alike(standards: Path, name: str) -> None:
    tree = ElementTree.parse(standards / "epcis" / "hash-vectors" / "expected-equal" / f"{name}.xml")
    events = tree.findall(".//EventList/*")
    assert len(events) > 1
    assert len({event_hash(read_event(as_json(event))) for event in events}) == 1


def test_hash_is_sha_256_of_the_pre_hash_in_an_ni_uri(commissioning: Json) -> None:
    assert pre_hash(read_event(commissioning)) == (
        "eventType=ObjectEventeventTime=2026-11-23T05:35:15.000ZeventTimeZoneOffset=+01:00"
        "epcListepc=https://id.gs1.org/01/04012345123456/21/S1epc=https://id.gs1.org/01/04012345123456/21/S2"
        "action=ADDbizStep=https://ref.gs1.org/cbv/BizStep-commissioning"
        "disposition=https://ref.gs1.org/cbv/Disp-activereadPointid=https://id.gs1.org/414/4012345000054"
        "ilmd{urn:epcglobal:cbv:mda:}itemExpirationDate=2029-12-31{urn:epcglobal:cbv:mda:}lotNumber=L-1"
    )
    found = event_hash(read_event(commissioning))
    assert found.startswith("ni:///sha-256;")
    assert found.endswith("?ver=CBV2.0")
    assert len(found) == len("ni:///sha-256;") + 64 + len("?ver=CBV2.0")


def changed(event: Json, **fields: Any) -> Json:
    return {key: value for key, value in {**copy.deepcopy(event), **fields}.items() if value is not None}


IGNORED: dict[str, dict[str, Any]] = {
    "recordTime": {"recordTime": "2026-11-23T05:35:16Z"},
    "eventID": {"eventID": "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8"},
    "errorDeclaration": {"errorDeclaration": {"declarationTime": "2026-11-24T00:00:00Z", "reason": "incorrect_data"}},
    "comment": {"rdfs:comment": "said by the way"},
    "order of EPCs": {"epcList": ["urn:epc:id:sgtin:4012345.012345.S2", "urn:epc:id:sgtin:4012345.012345.S1"]},
    "spelling of EPCs": {
        "epcList": ["https://example.com/01/04012345123456/21/S2?17=291231", "urn:epc:id:sgtin:4012345.012345.S1"]
    },
    "spelling of the time": {"eventTime": "2026-11-23T06:35:15.0004+01:00"},
    "web URI of a word": {"bizStep": "https://ref.gs1.org/cbv/BizStep-commissioning"},
    "URN of a word": {"bizStep": "urn:epcglobal:cbv:bizstep:commissioning"},
    "compact URI of a word": {"disposition": "cbv:Disp-active"},
    "full names of master data": {
        "ilmd": {"urn:epcglobal:cbv:mda:lotNumber": " L-1 ", "cbvmda:itemExpirationDate": "2029-12-31"}
    },
    "another prefix": {
        "@context": [GS1_CONTEXT, {"md": "urn:epcglobal:cbv:mda"}],
        "ilmd": {"md:lotNumber": "L-1", "md:itemExpirationDate": "2029-12-31"},
    },
    "empty lists": {"quantityList": [], "bizTransactionList": []},
}


@pytest.mark.parametrize("fields", IGNORED.values(), ids=IGNORED)
def test_hash_does_not_depend_on_spelling(commissioning: Json, fields: dict[str, Any]) -> None:
    assert event_hash(read_event(changed(commissioning, **fields))) == event_hash(read_event(commissioning))


COUNTED: dict[str, dict[str, Any]] = {
    "time": {"eventTime": "2026-11-23T05:35:15.001Z"},
    "offset": {"eventTimeZoneOffset": "+02:00"},
    "an EPC": {"epcList": ["urn:epc:id:sgtin:4012345.012345.S1", "urn:epc:id:sgtin:4012345.012345.S3"]},
    "an EPC less": {"epcList": ["urn:epc:id:sgtin:4012345.012345.S1"]},
    "step": {"bizStep": "encoding"},
    "disposition": {"disposition": None},
    "read point": {"readPoint": {"id": "urn:epc:id:sgln:4012345.00006.0"}},
    "extension of the read point": {"readPoint": {"id": "urn:epc:id:sgln:4012345.00005.0", "example:gate": "7"}},
    "location": {"bizLocation": {"id": "urn:epc:id:sgln:4012345.00005.0"}},
    "lot": {"ilmd": {"cbvmda:lotNumber": "L-2", "cbvmda:itemExpirationDate": "2029-12-31"}},
    "lot with a zero more": {"ilmd": {"cbvmda:lotNumber": "0012", "cbvmda:itemExpirationDate": "2029-12-31"}},
    "lot that looks like a number": {"ilmd": {"cbvmda:lotNumber": "12", "cbvmda:itemExpirationDate": "2029-12-31"}},
    "lot with an exponent": {"ilmd": {"cbvmda:lotNumber": "12E4", "cbvmda:itemExpirationDate": "2029-12-31"}},
    "lot without an exponent": {"ilmd": {"cbvmda:lotNumber": "120000", "cbvmda:itemExpirationDate": "2029-12-31"}},
    "name": {"ilmd": {"cbvmda:lotNumber": "L-1", "cbvmda:bestBeforeDate": "2029-12-31"}},
    "extension": {"example:line": "4"},
    "transaction": {"bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000009:1"}]},
    "untyped transaction": {"bizTransactionList": [{"bizTransaction": "urn:epcglobal:cbv:bt:4012345000009:1"}]},
    "source": {"sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00000"}]},
    "destination": {"destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:4012345.00000"}]},
    "certification": {"certificationInfo": "https://example.org/certificate/1"},
    "persistent disposition": {"persistentDisposition": {"set": ["completeness_verified"]}},
    "persistent disposition unset": {"persistentDisposition": {"unset": ["completeness_verified"]}},
    "quantity": {"quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.L-1", "quantity": 5}]},
    "sensor": {"sensorElementList": [{"sensorReport": [{"type": "Temperature", "value": 5.5, "uom": "CEL"}]}]},
}


def test_every_change_of_an_event_changes_the_hash(commissioning: Json) -> None:
    hashes = {event_hash(read_event(changed(commissioning, **fields))) for fields in COUNTED.values()}
    assert len(hashes | {event_hash(read_event(commissioning))}) == len(COUNTED) + 1


def test_numbers_lose_zeros_at_the_end_and_booleans_are_written_as_in_xml(commissioning: Json) -> None:
    values = {
        "example:a": 26.0,
        "example:b": "26.0",
        "example:c": "3.50",
        "example:d": 0.00001,
        "example:e": True,
        "example:f": "0012.0",
        "example:g": "-0.0",
        "example:h": "111100001111000011110000",
    }
    tail = pre_hash(read_event({**commissioning, **values})).partition("lotNumber=L-1")[2]
    namespace = "{https://ns.example.com/epcis/}"
    assert tail == "".join(
        f"{namespace}{name}={value}"
        for name, value in zip(
            "abcdefgh", ["26", "26", "3.5", "0.00001", "true", "0012.0", "0", "111100001111000011110000"], strict=True
        )
    )


def test_extensions_are_sorted_with_their_children_and_lists_are_repeated_fields(commissioning: Json) -> None:
    event = {
        **commissioning,
        "example:b": [{"example:z": ["2", "1"], "example:y": {}}, "urn:epc:id:giai:4000001.111", ""],
    }
    namespace = "{https://ns.example.com/epcis/}"
    tail = pre_hash(read_event(event)).partition("lotNumber=L-1")[2]
    assert tail == (
        f"{namespace}b{namespace}b=https://id.gs1.org/8004/4000001111{namespace}b{namespace}y{namespace}z=1{namespace}z=2"
    )


def test_escapes_are_those_of_the_digital_link_standard(commissioning: Json) -> None:
    commissioning["epcList"] = ["urn:epc:id:sgtin:4012345.012345.a'(b", "urn:epc:id:sgtin:4012345.012345.a%2Fb"]
    assert (
        "epcListepc=https://id.gs1.org/01/04012345123456/21/a%2Fbepc=https://id.gs1.org/01/04012345123456/21/a'%28baction"
        in pre_hash(read_event(commissioning))
    )


def test_compressed_link_is_hashed_as_the_identifier_it_stands_for_but_not_in_a_field_of_the_senders_own(
    commissioning: Json,
) -> None:
    uris = commissioning["epcList"]
    plain = pre_hash(read_event(commissioning))
    links = [parse_digital_link(canonical_uri(uri)).digital_link("https://x.example", compressed=True) for uri in uris]
    assert not set(links) & set(map(canonical_uri, links))
    assert read_event(commissioning | {"epcList": links}).epcs == read_event(commissioning).epcs
    assert pre_hash(read_event(commissioning | {"epcList": links})) == plain
    own = pre_hash(read_event(commissioning | {"example:page": links[0]}))
    assert own == f"{plain}{{https://ns.example.com/epcis/}}page={links[0]}"
