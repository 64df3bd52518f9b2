"""Sensor elements of an event (EPCIS 2.0, the How dimension): names and structure as in the JSON binding, values
canonical.
"""

from collections.abc import Callable
from typing import Any

from packtrace.epcis.context import Context
from packtrace.epcis.extensions import ExtensionReader
from packtrace.epcis.identifiers import identifier
from packtrace.epcis.values import boolean, listing, members, moment, number, refusal, required, text
from packtrace.epcis.vocabulary import COMPONENT, MEASUREMENT, SENSOR_ALERT

Reader = Callable[[object, str, Context], Any]


def read_sensor_element(given: object, path: str, extensions: ExtensionReader) -> dict[str, Any]:
    """One sensor element. Raises DocumentError."""
    element = members(given, path)
    read: dict[str, Any] = {}
    if "sensorMetadata" in element:
        place = f"{path}.sensorMetadata"
        read["sensorMetadata"] = _fields(members(element["sensorMetadata"], place), place, METADATA, extensions)
    reports = listing(required(element, "sensorReport", path), f"{path}.sensorReport", least=1)
    read["sensorReport"] = [
        _report(report, f"{path}.sensorReport[{index}]", extensions) for index, report in enumerate(reports)
    ]
    others = {key: value for key, value in element.items() if key not in ("sensorMetadata", "sensorReport")}
    return read | extensions.fields(others, path)


def _report(given: object, path: str, extensions: ExtensionReader) -> dict[str, Any]:
    report = members(given, path)
    required(report, "type", path)
    return _fields(report, path, REPORT, extensions)


def _fields(
    given: dict[str, Any], path: str, readers: dict[str, Reader], extensions: ExtensionReader
) -> dict[str, Any]:
    read = {
        key: reader(given[key], f"{path}.{key}", extensions.context) for key, reader in readers.items() if key in given
    }
    return read | extensions.fields({key: value for key, value in given.items() if key not in readers}, path)


def _moment(given: object, path: str, _: Context) -> str:
    return moment(given, path)


def _number(given: object, path: str, _: Context) -> int | float:
    return number(given, path)


def _text(given: object, path: str, _: Context) -> str:
    return text(given, path)


def _boolean(given: object, path: str, _: Context) -> bool:
    return boolean(given, path)


def _hex_binary(given: object, path: str, _: Context) -> str:
    written = text(given, path)
    if not written or set(written) - set("0123456789abcdefABCDEF"):
        raise refusal("write hexadecimal digits here", path, written, rule="EPCIS 2.0 JSON Schema (hexBinary)")
    return written


# Fields in the order of the event hash (CBV 2.0, 8.9).
METADATA: dict[str, Reader] = {
    "time": _moment,
    "startTime": _moment,
    "endTime": _moment,
    "deviceID": identifier,
    "deviceMetadata": identifier,
    "rawData": identifier,
    "dataProcessingMethod": identifier,
    "bizRules": identifier,
}
REPORT: dict[str, Reader] = {
    "type": MEASUREMENT.read,
    "exception": SENSOR_ALERT.read,
    "deviceID": identifier,
    "deviceMetadata": identifier,
    "rawData": identifier,
    "dataProcessingMethod": identifier,
    "bizRules": identifier,
    "time": _moment,
    "microorganism": identifier,
    "chemicalSubstance": identifier,
    "value": _number,
    "component": COMPONENT.read,
    "stringValue": _text,
    "booleanValue": _boolean,
    "hexBinaryValue": _hex_binary,
    "uriValue": identifier,
    "minValue": _number,
    "maxValue": _number,
    "meanValue": _number,
    "sDev": _number,
    "percRank": _number,
    "percValue": _number,
    "uom": _text,
    "coordinateReferenceSystem": identifier,
}
