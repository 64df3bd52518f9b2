"""Canonical URIs: GS1's own vectors, both ways for every key, and what must not pass."""

import json
import string
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.errors import IdentifierError
from packtrace.gs1 import (
    canonical_uri,
    canonical_uris,
    cbv_uri,
    epc_urn,
    gln_of_uri,
    pgln_uri,
    sgln_uri,
    sgtin_uri,
    split_sgtin_uri,
    sscc_of_uri,
    sscc_uri,
)

SET_82 = string.ascii_letters + string.digits + "!\"%&'()*+,-./:;<=>?_"
SET_39 = string.ascii_uppercase + string.digits + "#-/"
ROOT = "https://id.gs1.org"
GTIN = "04012345123456"

# Examples of the EPC Tag Data Standard, section 6.3, with the keys that it gives for them in section 7.
TDS_EXAMPLES = [
    ("urn:epc:id:sgtin:0614141.112345.400", "/01/10614141123459/21/400"),
    ("urn:epc:id:sgtin:0614141.812345.6789", "/01/80614141123458/21/6789"),
    ("urn:epc:id:sgtin:0614141.712345.32a%2Fb", "/01/70614141123451/21/32a%2Fb"),
    ("urn:epc:id:sscc:0614141.1234567890", "/00/106141412345678908"),
    ("urn:epc:id:sgln:0614141.12345.400", "/414/0614141123452/254/400"),
    ("urn:epc:id:sgln:0614141.12345.32a%2Fb", "/414/0614141123452/254/32a%2Fb"),
    ("urn:epc:id:sgln:0614141.12345.0", "/414/0614141123452"),
    ("urn:epc:id:sgln:952005385011..0", "/414/9520053850113"),
    ("urn:epc:id:pgln:1234567.89012", "/417/1234567890128"),
    ("urn:epc:id:grai:0614141.12345.400", "/8003/00614141123452400"),
    ("urn:epc:id:grai:0614141.12345.32a%2Fb", "/8003/0061414112345232a%2Fb"),
    ("urn:epc:id:giai:0614141.12345400", "/8004/061414112345400"),
    ("urn:epc:id:giai:0614141.32a%2Fb", "/8004/061414132a%2Fb"),
    ("urn:epc:id:gsrn:0614141.1234567890", "/8018/061414112345678902"),
    ("urn:epc:id:gsrnp:0614141.1234567890", "/8017/061414112345678902"),
    ("urn:epc:id:gdti:0614141.12345.400", "/253/0614141123452400"),
    ("urn:epc:id:gdti:4012345.55555.ABC%2F123", "/253/4012345555554ABC%2F123"),
    ("urn:epc:id:cpi:0614141.123ABC.123456789", "/8010/0614141123ABC/8011/123456789"),
    ("urn:epc:id:cpi:0614141.123456.123456789", "/8010/0614141123456/8011/123456789"),
    ("urn:epc:id:cpi:0614141.5PQ7%2FZ43.12345", "/8010/06141415PQ7%2FZ43/8011/12345"),
    ("urn:epc:id:sgcn:4012345.67890.04711", "/255/401234567890104711"),
    ("urn:epc:id:ginc:0614141.xyz47%2F11", "/401/0614141xyz47%2F11"),
    ("urn:epc:id:gsin:0614141.123456789", "/402/06141411234567890"),
    ("urn:epc:id:itip:4012345.012345.04.04.32a%2Fb", "/8006/040123451234560404/21/32a%2Fb"),
    ("urn:epc:id:upui:1234567.089456.51qIgY)%3C%26Jp3*j7SDB", "/01/01234567894560/235/51qIgY%29%3C%26Jp3%2Aj7SDB"),
    ("urn:epc:class:lgtin:4012345.012345.Lot987", "/01/04012345123456/10/Lot987"),
    ("urn:epc:idpat:sgtin:4012345.012345.*", "/01/04012345123456"),
    ("urn:epc:idpat:upui:4012345.012345.*", "/01/04012345123456"),
    ("urn:epc:idpat:cpi:0614141.5PQ7%2FZ43.*", "/8010/06141415PQ7%2FZ43"),
]


@pytest.mark.parametrize(("urn", "path"), TDS_EXAMPLES)
def test_epc_urn_becomes_digital_link(urn: str, path: str) -> None:
    assert canonical_uri(urn) == ROOT + path
    assert canonical_uri(ROOT + path) == ROOT + path


@pytest.mark.parametrize(("urn", "path"), [(u, p) for u, p in TDS_EXAMPLES if "idpat:upui" not in u])
def test_digital_link_becomes_epc_urn(urn: str, path: str) -> None:
    assert epc_urn(ROOT + path, len(urn.split(":")[4].split(".")[0])) == urn


@pytest.mark.standards
def test_all_keys_give_the_hash_that_gs1_published(standards: Path) -> None:
    """The pre-hash text of the CBV event hash is mostly these URIs: the hash comes out only if all are right."""
    folder = standards / "epcis" / "hash-vectors"
    event = json.loads((folder / "epcisDocWithAllGS1Keys.jsonld").read_text())["epcisBody"]["eventList"][0]
    epcs = sorted(map(cbv_uri, canonical_uris(event["epcList"])))
    classes = sorted(cbv_uri(canonical_uri(element["epcClass"])) for element in event["quantityList"])
    text = (
        "eventType=ObjectEventeventTime=2023-03-27T11:30:00.000ZeventTimeZoneOffset=+01:00epcList"
        + "".join(f"epc={uri}" for uri in epcs)
        + "quantityList"
        + "".join(f"quantityElementepcClass={uri}" for uri in classes)
        + "action=OBSERVEbizStep=https://ref.gs1.org/cbv/BizStep-otherreadPointid="
        + canonical_uri(event["readPoint"]["id"])
    )
    published = (folder / "epcisDocWithAllGS1Keys.hashes").read_text().strip()
    assert f"ni:///sha-256;{sha256(text.encode()).hexdigest()}?ver=CBV2.0" == published


@pytest.mark.standards
def test_every_uri_in_gs1_examples_has_one_canonical_form(standards: Path) -> None:
    seen = 0
    for path in (standards / "epcis").rglob("*.json*"):
        for uri in uris_in(json.loads(path.read_text())):
            canonical = canonical_uri(uri)
            assert canonical_uri(canonical) == canonical
            assert not canonical.startswith("urn:epc:id:")
            seen += 1
    assert seen > 500


def uris_in(node: object) -> list[str]:
    if isinstance(node, str):
        return [node] if node.startswith(("urn:epc:", "https://id.", "https://example.")) and "{" not in node else []
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [uri for child in children for uri in uris_in(child)]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("https://example.com/01/04012345123456/21/12", "/01/04012345123456/21/12"),
        ("http://example.com:8080/some/path/01/04012345123456/21/12", "/01/04012345123456/21/12"),
        ("HTTPS://ID.GS1.ORG/01/04012345123456/21/12", "/01/04012345123456/21/12"),
        ("https://id.gs1.org/01/04012345123456/21/12/", "/01/04012345123456/21/12"),
        ("https://id.gs1.org/01/04012345123456/21/12?17=271130&linkType=all#top", "/01/04012345123456/21/12"),
        ("https://id.gs1.org/01/04012345123456/10/L/21/12", "/01/04012345123456/21/12"),
        ("https://id.gs1.org/01/04012345123456/22/V/10/L/21/12", "/01/04012345123456/21/12"),
        ("https://id.gs1.org/01/04012345123456/22/V/10/L", "/01/04012345123456/10/L"),
        ("https://id.gs1.org/01/04012345123456/22/V", "/01/04012345123456"),
        ("https://id.gs1.org/01/4012345123456/21/12", "/01/04012345123456/21/12"),
        ("https://id.gs1.org/01/96385074", "/01/00000096385074"),
        ("https://example.com/01/96385074", "/01/00000096385074"),
        ("https://id.gs1.org/414/0614141123452/254/0", "/414/0614141123452"),
        ("https://id.gs1.org/01/04012345123456/21/%41%2f%2d", "/01/04012345123456/21/A%2F-"),
        (
            "https://id.gs1.org/01/04012345123456/21/a+b!'()*,;:=",
            "/01/04012345123456/21/a%2Bb%21%27%28%29%2A%2C%3B%3A%3D",
        ),
        ("https://example.com/01/04012345123456/21/x/01/04012345123456/21/y", "/01/04012345123456/21/y"),
        ("https://example.com/401/page/8004/4012345X", "/8004/4012345X"),
        ("https://example.com/8013/1987654Ad4X4bL5ttr2310c2K", "/8013/1987654Ad4X4bL5ttr2310c2K"),
        ("https://example.com/8018/061414112345678902/8019/3", "/8018/061414112345678902/8019/3"),
        ("URN:EPC:id:sgtin:4012345.012345.12", "/01/04012345123456/21/12"),
        ("https://id.gs1.org/ARHKVAdpQg", "/01/09780345418913"),  # compressed
        ("https://example.com/p/AN2yxDhfaiaw", "/00/998440410914660971"),
        ("urn:epc:id:sgtin:4012345.012345.%2d%2f", "/01/04012345123456/21/-%2F"),
        ("urn:epc:id:sgtin:4012345.012345.a.b..", "/01/04012345123456/21/a.b.."),
    ],
)
def test_other_ways_to_write_an_identifier_have_the_same_canonical_form(uri: str, path: str) -> None:
    assert canonical_uri(uri) == ROOT + path
    assert canonical_uris([uri] * 3) == [ROOT + path] * 3


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.com/warehouse/7",
        "https://example.com/01/20260105",  # a date, not a GTIN: the check digit tells
        "https://example.com/01/intro/21/summary",
        "https://example.com/01/04012345123456/21/12/extra",
        "https://example.com/gtin/04012345123456/ser/12",
        "https://ref.gs1.org/cbv/BizStep-shipping",
        "urn:uuid:8f5b3c1e-0000-4000-8000-000000000000",
        "urn:epcglobal:cbv:bt:4012345123456:RE1099",
        "urn:epc:id:gid:95100000.12345.400",
        "urn:epc:id:usdod:CJ7K2.12345",
        "urn:epc:tag:sgtin-96:3.0614141.812345.6789",
        "geo:50.947573,6.922120",
        "ni:///sha-256;abc?ver=CBV2.0",
    ],
)
def test_other_uri_is_kept_as_it_is(uri: str) -> None:
    assert canonical_uri(uri) == uri
    assert canonical_uris([uri, uri]) == [uri, uri]


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("https://id.gs1.org/01/04012345123457/21/12", "check digit"),
        ("https://example.com/01/04012345123457/21/12", "check digit"),
        ("https://id.gs1.org/00/040123450000003339", "check digit"),
        ("https://id.gs1.org/01/04012345123456/21/", "no GS1 key"),
        ("https://id.gs1.org/", "no GS1 key"),
        ("https://id.gs1.org/ARHKVAdpQh", "no GS1 key"),
        ("https://id.gs1.org/01/04012345123456/21/12/10/L", "qualifiers"),
        ("https://id.gs1.org/01/04012345123456/235/A/21/B", "qualifiers"),
        ("https://id.gs1.org/01/04012345123456/17/271130", "qualifiers"),
        ("https://id.gs1.org/01/04012345123456/21/" + "A" * 21, "X..20"),
        ("https://id.gs1.org/01/04012345123456/21/%00", "x00"),
        ("https://id.gs1.org/01/04012345123456/21/a%20b", "' '"),
        ("https://id.gs1.org/01/04012345123456/21/%C3%84", "xc4"),
        ("https://id.gs1.org/01/04012345123456/21/%FF", "ufffd"),
        ("https://id.gs1.org/01/04012345123456/21/a%2", "hexadecimal"),
        ("https://id.gs1.org/01/04012345123456/21/a%ZZ", "hexadecimal"),
        ("https://id.gs1.org/01/0401234512345٦/21/1", "not a URI"),
        ("https://id.gs1.org/01/04012345123456/21/12\n", "not a URI"),
        ("https://id.gs1.org/01/04012345123456/21/1 2", "not a URI"),
        ("https://id.gs1.org/01/04012345123456/21/1\x002", "not a URI"),
        ("", "not a URI"),
        ("04012345123456", "not a URI"),
        ("https://id.gs1.org/01/04012345123456/21/" + "A" * 10_000, "longer"),
        ("https://example.com/" + "A" * 10_000, "longer"),
        ("urn:epc:id:sgtin:4012345.012345", "parts"),
        ("urn:epc:id:sgtin:4012345.012345.", "X..20"),
        ("urn:epc:id:sgtin:4012345.12345.1", "13 digits"),
        ("urn:epc:id:sgtin:40123.01234567.1", "6 to 12"),
        ("urn:epc:id:sgtin:1234567890123..1", "6 to 12"),
        ("urn:epc:id:sgtin:4012345.01234A.1", "13 digits"),
        ("urn:epc:id:sgtin:4012345.012345.a/b", "%2F"),
        ("urn:epc:id:sgtin:4012345.012345.a&b", "%2F"),
        ("urn:epc:id:sgtin:4012345.012345.%zz", "hexadecimal"),
        ("urn:epc:id:sgtin:4012345.012345." + "a" * 21, "X..20"),
        ("urn:epc:id:sscc:4012345.000000333", "17 digits"),
        ("urn:epc:id:sscc:4012345.0000000333.1", "17 digits"),
        ("urn:epc:id:cpi:4012345.abc.1", "set 39"),
        ("urn:epc:id:cpi:4012345.ABC.01", "leading zeros"),
        ("urn:epc:id:cpi:4012345..1", "reference"),
        ("urn:epc:id:sgcn:4012345.67890.A", "digits"),
        ("urn:epc:id:gdti:4012345.55555.", "serial part"),
        ("urn:epc:id:giai:4012345." + "A" * 24, "X..30"),
        ("urn:epc:id:itip:4012345.012345.1.002.9", "two digits"),
        ("urn:epc:id:itip:4012345.012345.05.04.9", "piece"),
        ("urn:epc:id:lgtin:4012345.012345.L", "no such EPC"),
        ("urn:epc:class:sgtin:4012345.012345.1", "no such EPC"),
        ("urn:epc:id:SGTIN:4012345.012345.1", "no such EPC"),
        ("urn:epc:id:nonsense:1.2", "no such EPC"),
        ("urn:epc:", "no such EPC"),
        ("urn:epc:x", "no such EPC"),
        ("urn:epc:idpat:sgtin:4012345.012345.12", "no class"),
        ("urn:epc:idpat:sgtin:4012345.*.*", "13 digits"),
        ("urn:epc:idpat:sscc:4012345.*", "no class"),
    ],
)
def test_malformed_gs1_identifier_is_refused(uri: str, words: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        canonical_uri(uri)
    assert words in str(caught.value)
    assert caught.value.rule
    assert len(str(caught.value)) < 600
    with pytest.raises(IdentifierError) as caught:
        canonical_uris([f"{ROOT}/01/{GTIN}/21/1", uri], "epcList")
    assert (caught.value.field or "").startswith("epcList[1]")


def test_error_shows_the_identifier_that_was_given() -> None:
    with pytest.raises(IdentifierError) as caught:
        canonical_uri("urn:epc:id:sgtin:4012345.12345.ABC")
    assert caught.value.value == "urn:epc:id:sgtin:4012345.12345.ABC"


def test_bulk_names_the_position_far_into_a_list() -> None:
    uris = [f"urn:epc:id:sgtin:4012345.012345.{n}" for n in range(20_000)]
    uris[17_001] = "urn:epc:id:sgtin:4012345.012345.ä"
    with pytest.raises(IdentifierError) as caught:
        canonical_uris(uris, "epcisBody.eventList[0].epcList")
    assert caught.value.field == "epcisBody.eventList[0].epcList[17001]"


@pytest.mark.parametrize(
    "uris",
    [
        [f"{ROOT}/01/{GTIN}/21/A\n{ROOT}/01/{GTIN}/21/B", f"{ROOT}/01/{GTIN}/21/C"],
        [f"{ROOT}/01/{GTIN}/21/A", f"{ROOT}/01/{GTIN}/21/B\nC"],
        [f"{ROOT}/01/{GTIN}/21/A", "BBB"],
        [f"{ROOT}/01/{GTIN}/21/A\n", f"{ROOT}/01/{GTIN}/21/B"],
    ],
)
def test_bulk_is_not_fooled_by_line_breaks(uris: list[str]) -> None:
    with pytest.raises(IdentifierError):
        canonical_uris(uris)


def test_bulk_is_not_fooled_by_a_head_that_comes_twice() -> None:
    head = f"{ROOT}/01/{GTIN}/21/"
    uris = [f"{head}A", f"{head}{head}B"]
    assert canonical_uris(uris) == [canonical_uri(uri) for uri in uris]
    with pytest.raises(IdentifierError):
        canonical_uris([f"{head}A", "B", f"{head}{head}C"])  # as many heads as lines, but one line has none


# ---------------------------------------------------------------------------------------------- properties

SERIALS = st.text(SET_82, min_size=1, max_size=20)


def urn_escape(text: str) -> str:
    return "".join(f"%{ord(c):02X}" if c in '"#%&/<>?' else c for c in text)


@st.composite
def epc_urns(draw: st.DrawFn) -> tuple[str, int]:
    """An EPC URN of any scheme with a GS1 key, and the length of its company prefix."""
    length = draw(st.integers(6, 12))
    company = draw(st.text("0123456789", min_size=length, max_size=length))

    def digits(total: int) -> str:
        return f"{company}." + draw(st.text("0123456789", min_size=total - length, max_size=total - length))

    def text(most: int, characters: str = SET_82) -> str:
        return urn_escape(draw(st.text(characters, min_size=1, max_size=most)))

    number = st.integers(0, 10**12 - 1)
    total = draw(st.integers(1, 99))
    piece = draw(st.integers(1, total))
    serial = text(16)
    return draw(
        st.sampled_from(
            [
                f"urn:epc:id:sgtin:{digits(13)}.{text(20)}",
                f"urn:epc:id:sscc:{digits(17)}",
                f"urn:epc:id:sgln:{digits(12)}.{text(20)}",
                f"urn:epc:id:pgln:{digits(12)}",
                f"urn:epc:id:grai:{digits(12)}.{serial}",
                f"urn:epc:id:giai:{company}.{text(30 - length)}",
                f"urn:epc:id:gsrn:{digits(17)}",
                f"urn:epc:id:gsrnp:{digits(17)}",
                f"urn:epc:id:gdti:{digits(12)}.{text(17)}",
                f"urn:epc:id:cpi:{company}.{text(30 - length, SET_39)}.{draw(number)}",
                f"urn:epc:id:sgcn:{digits(12)}.{draw(st.text('0123456789', min_size=1, max_size=12))}",
                f"urn:epc:id:ginc:{company}.{text(30 - length)}",
                f"urn:epc:id:gsin:{digits(16)}",
                f"urn:epc:id:itip:{digits(13)}.{piece:02}.{total:02}.{text(20)}",
                f"urn:epc:id:upui:{digits(13)}.{text(28)}",
                f"urn:epc:class:lgtin:{digits(13)}.{text(20)}",
                f"urn:epc:idpat:sgtin:{digits(13)}.*",
                f"urn:epc:idpat:itip:{digits(13)}.{piece:02}.{total:02}.*",
                f"urn:epc:idpat:grai:{digits(12)}.*",
                f"urn:epc:idpat:gdti:{digits(12)}.*",
                f"urn:epc:idpat:sgcn:{digits(12)}.*",
                f"urn:epc:idpat:cpi:{company}.{text(30 - length, SET_39)}.*",
            ]
        )
    ), length


@given(epc_urns())
def test_every_epc_comes_back_from_its_canonical_uri(case: tuple[str, int]) -> None:
    urn, length = case
    uri = canonical_uri(urn)
    assert uri.startswith(f"{ROOT}/")
    assert set(uri[len(ROOT) :]) <= set(string.ascii_letters + string.digits + "-._~%/")
    assert canonical_uri(uri) == uri
    assert epc_urn(uri, length) == urn


@given(SERIALS, st.sampled_from(["https://id.gs1.org", "http://x", "https://shop.example/de/p"]))
def test_sgtin_comes_back_from_its_uri_at_any_domain(serial: str, domain: str) -> None:
    uri = sgtin_uri(GTIN, serial)
    assert canonical_uri(domain + uri[len(ROOT) :]) == uri
    assert split_sgtin_uri(uri) == (GTIN, serial)


@given(st.lists(st.one_of(epc_urns().map(lambda case: case[0]), SERIALS.map(lambda s: sgtin_uri(GTIN, s))), max_size=8))
def test_bulk_gives_what_single_calls_give(uris: list[str]) -> None:
    assert canonical_uris(uris) == [canonical_uri(uri) for uri in uris]


@given(st.text(max_size=60))
def test_any_text_is_refused_or_has_a_stable_canonical_form(text: str) -> None:
    for uri in (
        text,
        f"urn:epc:id:{text}",
        f"urn:epc:id:sgtin:{text}",
        f"{ROOT}/{text}",
        f"{ROOT}/01/{GTIN}/21/{text}",
    ):
        try:
            canonical = canonical_uri(uri)
        except IdentifierError:
            continue
        assert canonical_uri(canonical) == canonical


# ---------------------------------------------------------------------------------------------- helpers


def test_helpers_make_canonical_uris() -> None:
    assert sgtin_uri("4012345123456", "a/b") == f"{ROOT}/01/{GTIN}/21/a%2Fb"
    assert sscc_uri("106141412345678908") == f"{ROOT}/00/106141412345678908"
    assert sgln_uri("0614141123452") == f"{ROOT}/414/0614141123452"
    assert sgln_uri("0614141123452", "32a/b") == f"{ROOT}/414/0614141123452/254/32a%2Fb"
    assert sgln_uri("0614141123452", "0") == f"{ROOT}/414/0614141123452"
    assert pgln_uri("0614141123452") == f"{ROOT}/417/0614141123452"


def test_helpers_take_canonical_uris_apart() -> None:
    assert split_sgtin_uri(f"{ROOT}/01/{GTIN}/21/a%2Fb") == (GTIN, "a/b")
    assert sscc_of_uri(f"{ROOT}/00/106141412345678908") == "106141412345678908"
    assert gln_of_uri(f"{ROOT}/414/0614141123452/254/1") == "0614141123452"
    assert gln_of_uri(f"{ROOT}/417/0614141123452") == "0614141123452"
    for uri in (f"{ROOT}/01/{GTIN}/10/L", f"{ROOT}/01/{GTIN}", "https://example.com/x", f"{ROOT}/8004/4012345AB"):
        assert split_sgtin_uri(uri) is None
        assert sscc_of_uri(uri) is None
        assert gln_of_uri(uri) is None


def test_epc_urn_refuses_what_has_none() -> None:
    for uri, length in [
        (f"{ROOT}/8013/1987654Ad4X4bL5ttr2310c2K", 7),
        (f"{ROOT}/8018/061414112345678902/8019/3", 7),
        (f"{ROOT}/8006/040123451234560404/10/L", 7),
        (f"{ROOT}/01/{GTIN}/21/1", 5),
        (f"{ROOT}/01/{GTIN}/21/1", 13),
        (f"{ROOT}/8004/061414X", 7),
        (f"{ROOT}/8004/0614141", 7),
        ("https://example.com/x", 7),
    ]:
        with pytest.raises(IdentifierError):
            epc_urn(uri, length)


def test_cbv_form_differs_in_three_characters_only() -> None:
    canonical = sgtin_uri(GTIN, "!\"%&'()*+,-./:;<=>?"[:19])
    assert cbv_uri(canonical) == f"{ROOT}/01/{GTIN}/21/%21%22%25%26'%28%29%2A%2B%2C-.%2F%3A;%3C=%3E%3F"
    assert cbv_uri("https://example.com/%27") == "https://example.com/%27"


def test_a_million_identifiers_take_about_a_second() -> None:
    """A generous limit, to notice a path that stopped being fast; the figures are in the benchmarks."""
    urns = [f"urn:epc:id:sgtin:4012345.012345.{n:012}" for n in range(200_000)]
    start = time.perf_counter()
    canonical_uris(urns)
    assert time.perf_counter() - start < 2
