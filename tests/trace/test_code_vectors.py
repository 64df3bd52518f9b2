"""`tests/vectors/codes.json`: scans and Digital Links that the phone page must read, or refuse, as Python does."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from code_vectors import NOT_IN_JAVASCRIPT, Pair, checks_of, labels, links, scans, texts

from packtrace.errors import IdentifierError
from packtrace.gs1 import parse_code, parse_digital_link, parse_scan
from packtrace.gs1.application_identifiers import APPLICATION_IDENTIFIERS
from packtrace.gs1.link_compression import decompress
from packtrace.scan import LogisticUnit, identify

Read = tuple[str, list[Pair] | None]


def test_vectors_are_what_the_library_says(vectors: Path) -> None:
    file = vectors / "codes.json"
    found = made()
    if os.environ.get("PACKTRACE_WRITE_SNAPSHOTS"):
        parts = (f'"{name}":[\n' + ",\n".join(map(_line, values)) + "\n]" for name, values in found.items())
        file.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    assert json.loads(file.read_text()) == json.loads(json.dumps(found))


def test_vectors_have_what_is_read_and_what_is_refused() -> None:
    for kind in ("texts", "links", "scans"):
        found = made()[kind]
        read = [entry for entry in found if entry[1] is not None]
        assert min(len(read), len(found) - len(read)) > 100, kind
    ais = {ai for _, pairs in made()["texts"] for ai, _ in pairs or ()}
    assert ais == {ai for ai in APPLICATION_IDENTIFIERS if not checks_of(ai) & {*NOT_IN_JAVASCRIPT}}


def made() -> dict[str, list[Any]]:
    return {
        "texts": [_read(decompress, text) for text in texts()],
        "links": [_read(lambda uri: parse_digital_link(uri).pairs, uri) for uri in links()],
        "scans": [_read(lambda scan: parse_scan(scan).pairs, scan) for scan in scans()],
        "labels": [(code, _identified(code)) for code in labels()],
    }


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _read(read: Callable[[str], Iterable[Pair]], code: str) -> Read:
    try:
        return code, list(read(code))
    except IdentifierError:
        return code, None


def _identified(code: str) -> dict[str, Any] | None:
    try:
        found = identify(parse_code(code))
    except IdentifierError:
        return None
    if isinstance(found, LogisticUnit):
        return {"sscc": found.sscc}
    expiry = found.expiry.isoformat() if found.expiry else None
    return {"gtin": found.gtin, "serial": found.serial, "lot": found.lot, "expiry": expiry}


def test_an_sscc_makes_a_logistic_unit_of_whatever_is_beside_it() -> None:
    both = 0
    for code, identity in made()["labels"]:
        if identity is not None:
            pairs = dict(parse_code(code).pairs)
            assert ("sscc" in identity) == ("00" in pairs)
            both += {"00", "01", "21"} <= pairs.keys()
    assert both > 30


def test_what_is_checked_here_alone_is_named() -> None:
    named = {check for ai in APPLICATION_IDENTIFIERS for check in checks_of(ai)}
    assert set(NOT_IN_JAVASCRIPT) < named
