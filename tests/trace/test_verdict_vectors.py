"""`tests/vectors/verdicts.json`: the verdicts that the phone page's JavaScript must come to as well."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from verdict_vectors import vectors as made

from packtrace.verdict import Headline


def test_vectors_are_what_the_library_says(vectors: Path) -> None:
    file = vectors / "verdicts.json"
    found = shared(made())
    if os.environ.get("PACKTRACE_WRITE_SNAPSHOTS"):
        parts = (f'"{name}":[\n' + ",\n".join(map(_line, values)) + "\n]" for name, values in found.items())
        file.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    assert json.loads(file.read_text()) == json.loads(json.dumps(found))


def shared(vectors: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    """The same material or facts of several verdicts once, the verdicts with their numbers."""
    found: dict[str, list[Any]] = {"material": [], "facts": [], "verdicts": []}
    for vector in vectors:
        for part in ("material", "facts"):
            if vector[part] not in found[part]:
                found[part].append(vector[part])
            vector[part] = found[part].index(vector[part])
        found["verdicts"].append(vector)
    return found


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def test_vectors_reach_every_headline_that_a_pedigree_can_have() -> None:
    found = list(made())
    assert {vector["verdict"]["headline"] for vector in found} == {headline.value for headline in Headline} - {
        "expired"
    }
    tampered = [vector for vector in found if vector["name"].startswith("tampered")]
    assert all(vector["verdict"]["headline"] != Headline.AUTHENTIC.value for vector in tampered)
