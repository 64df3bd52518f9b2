"""The ``@context`` of an EPCIS 2.0 document: which prefix stands for which namespace (JSON-LD 1.1, section 3.1).

Nothing is fetched: GS1's context is known by its address and built in, every other prefix is declared in the document.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from packtrace.epcis.values import BOUND, URI, below, members, refusal, uri

GS1_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
# The same context under its other addresses: newest release, any 2.x release, GS1's drafts.
GS1_CONTEXTS = re.compile(
    r"https?://(?:ref\.gs1\.org/standards/epcis(?:/2(?:\.\d+){1,2})?|gs1\.github\.io/EPCIS)/epcis-context\.jsonld"
)

MASTER_DATA = "urn:epcglobal:cbv:mda:"
EPCIS = "https://ref.gs1.org/epcis/"
GS1_PREFIXES: Mapping[str, str] = {
    "epcis": EPCIS,
    "cbv": "https://ref.gs1.org/cbv/",
    "cbvmda": MASTER_DATA,
    "gs1": "https://gs1.org/voc/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcterms": "http://purl.org/dc/terms/",
}
# One namespace in the spellings found in the field: XML often drops the colon, CBV 2.1 moved the GS1 Web Vocabulary.
SPELLINGS: Mapping[str, str] = {
    "urn:epcglobal:cbv:mda": MASTER_DATA,
    "https://ref.gs1.org/voc/": GS1_PREFIXES["gs1"],
    "https://www.gs1.org/voc/": GS1_PREFIXES["gs1"],
}

MAX_CONTEXT_ENTRIES = 100
NOT_INTERPRETED = "packtrace: of a context, prefixes only are read"
PREFIX = re.compile(r"[A-Za-z_][\w.-]*")
# A prefix with the name of a URI scheme would turn whole URIs into abbreviations.
SCHEMES = frozenset({"http", "https", "urn", "ni", "geo", "tag", "did", "mailto", "data", "file"})
# As in XML: what cannot be an element's name could not be written in EPCIS's other binding.
LOCAL_NAME = re.compile(r"[^\W\d][\w.-]*")
# Keywords that change nothing here. All others (@vocab, @base, @import, …) would change what names and values mean.
HARMLESS_KEYWORDS: Mapping[str, object] = {"@version": 1.1, "@protected": True}


@dataclass(frozen=True, slots=True)
class Context:
    """The prefixes in force. `standard` says that GS1's own context is among them."""

    prefixes: Mapping[str, str] = field(default_factory=dict)
    standard: bool = False

    def extended(self, given: object, path: str) -> "Context":
        """This context with what an ``@context`` adds. Raises DocumentError where that cannot be understood."""
        entries = given if isinstance(given, list) else [given]
        if len(entries) > MAX_CONTEXT_ENTRIES:
            raise refusal(f"a context has at most {MAX_CONTEXT_ENTRIES} entries", path, entries, rule=BOUND)
        prefixes, standard = dict(self.prefixes), self.standard
        for index, entry in enumerate(entries):
            place = f"{path}[{index}]" if isinstance(given, list) else path
            if isinstance(entry, str):
                if not GS1_CONTEXTS.fullmatch(entry):
                    raise refusal(
                        f"no context is fetched: declare its prefixes here; only GS1's is known ({GS1_CONTEXT})",
                        place,
                        entry,
                        rule="JSON-LD 1.1, 3.1 (The Context)",
                    )
                prefixes, standard = {**GS1_PREFIXES, **prefixes}, True
            else:
                _declare(members(entry, place), prefixes, place)
            if entry in entries[:index]:
                raise refusal("this entry stands here twice: take one out", place, entry, rule="EPCIS 2.0 JSON Schema")
        return Context(prefixes, standard)

    def expand(self, written: str) -> str:
        """A compact URI (``cbv:BizStep-packing``) in full; anything else as it is."""
        prefix, colon, rest = written.partition(":")
        if colon and prefix in self.prefixes and not rest.startswith("//"):
            return self.prefixes[prefix] + rest
        return written

    def expand_literal(self, written: str) -> str:
        """A string in an extension: a compact URI in full (CBV 2.0, 8.9), any other text as it is."""
        full = self.expand(written)
        return full if full is written or URI.fullmatch(full) else written

    def name(self, key: str, path: str) -> str:
        """The expanded name ``{namespace}localName`` of an extension field."""
        prefix, colon, local = key.partition(":")
        if not colon:
            raise refusal(
                "this field is not known here; an extension needs a namespace: write prefix:name, declare the prefix",
                below(path, key),
                key,
                rule="EPCIS 2.0 JSON Schema",
            )
        if prefix in self.prefixes and not local.startswith("//"):
            namespace = self.prefixes[prefix]
        elif (prefix in ("http", "https") and local.startswith("//")) or prefix == "urn":
            cut = max(key.rfind(mark) for mark in "/#:") + 1
            namespace, local = key[:cut], key[cut:]
            uri(key, below(path, key))
            uri(namespace, below(path, key))
        else:
            raise refusal(
                "this prefix is not declared: add it to @context with its namespace",
                below(path, key),
                key,
                rule="JSON-LD 1.1, 4.1.5 (Compact IRIs)",
            )
        if not LOCAL_NAME.fullmatch(local):
            raise refusal(
                "this is no name: letters, digits, . _ - after the namespace, a letter first",
                below(path, key),
                key,
                rule="XML 1.0, Name",
            )
        namespace = SPELLINGS.get(namespace, namespace)
        if namespace == EPCIS:
            raise refusal(
                "a field of the standard is written by its bare name, not as an extension",
                below(path, key),
                key,
                rule="EPCIS 2.0 JSON Schema",
            )
        return f"{{{namespace}}}{local}"


def _declare(given: dict[str, Any], prefixes: dict[str, str], path: str) -> None:
    for key, value in given.items():
        place = below(path, key)
        if key.startswith("@"):
            if key not in HARMLESS_KEYWORDS or HARMLESS_KEYWORDS[key] != value:
                raise refusal(
                    "this keyword is not read: take it out and write names and values in full",
                    place,
                    key,
                    rule=NOT_INTERPRETED,
                )
        elif ":" not in key:
            prefixes[key] = _namespace(key, value, prefixes, place)
        elif not isinstance(value, dict) or not all(isinstance(entry, str) for entry in value.values()):
            # It gives one extension field's datatype, which the value shows anyway.
            raise refusal(
                'only a datatype is read here, as in {"@type": "xsd:integer"}', place, value, rule=NOT_INTERPRETED
            )
    if len(prefixes) > MAX_CONTEXT_ENTRIES:
        raise refusal(f"a context has at most {MAX_CONTEXT_ENTRIES} prefixes", path, given, rule=BOUND)


def _namespace(prefix: str, given: object, prefixes: dict[str, str], path: str) -> str:
    if not PREFIX.fullmatch(prefix) or prefix in SCHEMES:
        raise refusal(
            "this cannot be a prefix: take another name", path, prefix, rule="JSON-LD 1.1, 4.1.5 (Compact IRIs)"
        )
    if not isinstance(given, str):
        raise refusal(
            "a prefix is declared with its namespace as a string; other definitions are not read",
            path,
            given,
            rule=NOT_INTERPRETED,
        )
    namespace = uri(Context(prefixes).expand(given), path)
    namespace = SPELLINGS.get(namespace, namespace)
    if GS1_PREFIXES.get(prefix, namespace) != namespace:
        raise refusal(
            f"GS1's context protects this prefix ({GS1_PREFIXES[prefix]}): take another name",
            path,
            namespace,
            rule="JSON-LD 1.1, 4.1.11 (protected terms)",
        )
    return namespace
