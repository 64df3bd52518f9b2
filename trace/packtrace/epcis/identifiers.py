"""Identifiers in an EPCIS document, made canonical: one at a time, or a million in one list."""

import re
from typing import Any

from packtrace.epcis.context import Context
from packtrace.epcis.values import refusal, text, uri
from packtrace.errors import DocumentError, IdentifierError
from packtrace.gs1 import canonical_uri, canonical_uris

CANONICAL = "https://id.gs1.org/"
# Canonical URIs that name a class of objects: GTIN, GTIN with lot, GRAI, GDTI and GCN without serial, ITIP, CPID.
CLASS_LEVEL = re.compile(
    r"https://id\.gs1\.org/(?:01/\d{14}(?:/10/[^/]+)?|8003/\d{14}|25[35]/\d{13}|8006/\d{18}(?:/10/[^/]+)?|8010/[^/]+)",
    re.ASCII,
)
SERIAL_AT = slice(len(f"{CANONICAL}01/") + 14, len(f"{CANONICAL}01/") + 18)


def identifier(given: object, path: str, context: Context) -> str:
    """The canonical URI of what `given` identifies; a URI that is no GS1 identifier stays as it is."""
    written = context.expand(text(given, path))
    try:
        canonical = canonical_uri(written)
    except IdentifierError as error:
        raise refusal(error.message, path, written, rule=error.rule) from error
    return canonical if canonical.startswith(CANONICAL) else uri(canonical, path)


def instance(given: object, path: str, context: Context) -> str:
    """The same for one object. A class of objects is refused."""
    canonical = identifier(given, path, context)
    if CLASS_LEVEL.fullmatch(canonical):
        raise _is_class(path, given)
    return canonical


def instances(given: list[Any], path: str, context: Context) -> list[str]:
    """The same for many objects at once. An error names the position in the list."""
    if not set(map(type, given)) <= {str}:
        index = next(index for index, entry in enumerate(given) if not isinstance(entry, str))
        raise refusal("write a string here", f"{path}[{index}]", given[index], rule="EPCIS 2.0 JSON Schema")
    try:
        uris = canonical_uris(given)
    except IdentifierError as error:
        index = int(
            (error.field or "")[1:].partition("]")[0]
        )  # "[7]", and perhaps the part of the identifier behind it
        raise refusal(error.message, f"{path}[{index}]", given[index], rule=error.rule) from error
    # Packs and cases come by the thousand, all else in small numbers: that is looked at again, one by one.
    for index in [at for at, entry in enumerate(uris) if entry[SERIAL_AT] != "/21/"]:
        if not uris[index].startswith(CANONICAL):
            uris[index] = identifier(given[index], f"{path}[{index}]", context)
        if CLASS_LEVEL.fullmatch(uris[index]):
            raise _is_class(f"{path}[{index}]", given[index])
    return uris


def object_class(given: object, path: str, context: Context) -> str:
    """The canonical URI of a class of objects. The identifier of one object is refused."""
    canonical = identifier(given, path, context)
    if canonical.startswith(CANONICAL) and not CLASS_LEVEL.fullmatch(canonical):
        raise refusal(
            "this names one object, not a class: write it into the list of EPCs", path, given, rule="EPCIS 2.0, 7.3.3.3"
        )
    return canonical


def _is_class(path: str, given: object) -> DocumentError:
    return refusal(
        "this names a class, not one object: write a serial number, or a quantity of the class into the quantity list",
        path,
        given,
        rule="EPCIS 2.0, 7.3.3",
    )
