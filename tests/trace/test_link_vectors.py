"""`tests/vectors/digital_links.json`: Digital Links that the phone page must read, or refuse, as Python does."""

import json
import os
from pathlib import Path
from typing import Any

from link_vectors import NOT_IN_JAVASCRIPT, Pair, checks_of, links, texts

from packtrace.errors import IdentifierError
from packtrace.gs1 import parse_digital_link
from packtrace.gs1.application_identifiers import APPLICATION_IDENTIFIERS
from packtrace.gs1.link_compression import decompress


def test_vectors_are_what_the_library_says(vectors: Path) -> None:
    file = vectors / "digital_links.json"
    found = {"texts": [*map(_text, texts())], "links": [*map(_link, links())]}
    if os.environ.get("PACKTRACE_WRITE_SNAPSHOTS"):
        parts = (f'"{name}":[\n' + ",\n".join(map(_line, values)) + "\n]" for name, values in found.items())
        file.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    assert json.loads(file.read_text()) == json.loads(json.dumps(found))


def test_vectors_have_what_is_read_and_what_is_refused() -> None:
    for kind, found in (("texts", [*map(_text, texts())]), ("links", [*map(_link, links())])):
        read = [entry for entry in found if entry[1] is not None]
        assert min(len(read), len(found) - len(read)) > 100, kind
    ais = {ai for _, pairs in map(_text, texts()) for ai, _ in pairs or ()}
    assert ais == {ai for ai in APPLICATION_IDENTIFIERS if not checks_of(ai) & {*NOT_IN_JAVASCRIPT}}


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _text(text: str) -> tuple[str, list[Pair] | None]:
    try:
        return text, list(decompress(text))
    except IdentifierError:
        return text, None


def _link(uri: str) -> tuple[str, list[Pair] | None]:
    try:
        return uri, list(parse_digital_link(uri).pairs)
    except IdentifierError:
        return uri, None


def test_what_is_checked_here_alone_is_named() -> None:
    named = {check for ai in APPLICATION_IDENTIFIERS for check in checks_of(ai)}
    assert set(NOT_IN_JAVASCRIPT) < named
