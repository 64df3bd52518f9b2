"""Compressed Digital Links: vectors of other programs, every AI there and back, and what must not be taken for one."""

import re
import string
import time
from urllib.parse import unquote

import pytest
from code_vectors import (
    COMPONENTS,
    DIGITAL_LINK_JS,
    GTIN,
    SET_82,
    SOLIDSOFT,
    SOLIDSOFT_READ,
    SOLIDSOFT_WRITTEN,
    SSCC,
    Pairs,
)
from hypothesis import assume, example, given
from hypothesis import strategies as st

from packtrace.errors import IdentifierError
from packtrace.gs1 import (
    ElementString,
    canonical_uri,
    canonical_uris,
    element_string,
    parse_bracketed,
    parse_digital_link,
    with_check_digit,
)
from packtrace.gs1.application_identifiers import APPLICATION_IDENTIFIERS
from packtrace.gs1.link_compression import (
    BASE64URL,
    SEQUENCES,
    compress,
    decompress,
    may_be_compressed,
)

ROOT = "https://id.gs1.org"


def pairs_of(path: str) -> Pairs:
    parts = path.split("/")[1:]
    return tuple(zip(parts[::2], map(unquote, parts[1::2]), strict=True))


def bits(text: str) -> str:
    """``"0C 1"`` and the like: hexadecimal words of four bits a digit, words in quotes of single bits."""
    return "".join(
        word[1:-1] if word.startswith("'") else "".join(f"{int(digit, 16):04b}" for digit in word)
        for word in text.split()
    )


def segment(text: str) -> str:
    """Base64url of `bits`, filled up with zeros."""
    taken = bits(text)
    taken += "0" * (-len(taken) % 6)
    return "".join(BASE64URL[int(taken[at : at + 6], 2)] for at in range(0, len(taken), 6))


GTIN_BITS = f"'{int(GTIN):047b}'"


@pytest.mark.parametrize(("path", "text"), SOLIDSOFT)
def test_vector_is_written_and_read(path: str, text: str) -> None:
    assert set(decompress(text)) == set(pairs_of(path))
    assert compress(pairs_of(path)) == text


@pytest.mark.parametrize(("path", "text"), SOLIDSOFT_WRITTEN)
def test_vector_with_a_piece_of_too_many_is_written(path: str, text: str) -> None:
    assert compress(pairs_of(path)) == text
    with pytest.raises(IdentifierError, match="piece"):
        decompress(text)


@pytest.mark.parametrize(("path", "text"), SOLIDSOFT_READ)
def test_vector_without_codes_for_groups_is_read(path: str, text: str) -> None:
    assert set(decompress(text)) == set(pairs_of(path))
    assert len(compress(pairs_of(path))) <= len(text)


@pytest.mark.parametrize(("uri", "bracketed"), DIGITAL_LINK_JS)
def test_link_of_gs1s_own_program_is_written_and_read(uri: str, bracketed: str) -> None:
    data = parse_digital_link(uri)
    assert set(data.pairs) == set(parse_bracketed(bracketed).pairs)
    assert data.digital_link(uri.rpartition("/")[0], compressed=True) == uri
    assert may_be_compressed(uri.rpartition("/")[2])


@pytest.mark.parametrize("uri", ["ARHKVAdpQkIKqwo?foo=bar", "DBHKVAdpQgqrCvBv0UMG21W", "DBHKVAdpQgqrCg"])
def test_link_with_a_parameter_of_its_own_is_read(uri: str) -> None:
    data = parse_digital_link(f"https://dlnkd.tn.gg/{uri}")
    assert data.bracketed() == "(01)09780345418913(21)43786"
    assert data.digital_link("https://dlnkd.tn.gg", compressed=True) == "https://dlnkd.tn.gg/DBHKVAdpQgqrCg"


@pytest.mark.parametrize(
    "uri",
    [
        f"{ROOT}/01/05412345000013/EEarwSMhC4an0V04",
        f"{ROOT}/01/5412345000013/EEarwSMhC4an0V04/",
        "http://example.com/p/01/05412345000013/10/ABC123/IQuGp9FdO?s=1#top",
        f"{ROOT}/AQnYUc1gmiCNV4JGQhcNT6K6c",
        "https://example.com/AQnYUc1gmiCNV4JGQhcNT6K6c/",
    ],
)
def test_link_is_read_where_its_key_and_qualifiers_are_in_the_clear_or_not(uri: str) -> None:
    assert set(parse_digital_link(uri).pairs) == set(pairs_of("/01/05412345000013/10/ABC123/21/72292641703"))
    assert canonical_uri(uri) == f"{ROOT}/01/05412345000013/21/72292641703"
    assert canonical_uris([uri, uri]) == [f"{ROOT}/01/05412345000013/21/72292641703"] * 2


@pytest.mark.parametrize("domain", [ROOT, "https://example.com"])
def test_link_in_the_clear_is_never_looked_into(domain: str) -> None:
    """A serial number may look like compressed data of another product."""
    link = f"{domain}/01/{GTIN}/21/DBHKVAdpQgowOQ"
    assert parse_digital_link(link).pairs == (("01", GTIN), ("21", "DBHKVAdpQgowOQ"))
    assert canonical_uri(link) == f"{ROOT}/01/{GTIN}/21/DBHKVAdpQgowOQ"


def test_query_adds_to_what_is_compressed() -> None:
    link = parse_digital_link("https://example.com/DBHKVAdpQgowOQ?17=271130&linkType=all")
    assert link.bracketed() == "(01)09780345418913(21)12345(17)271130"
    with pytest.raises(IdentifierError, match="twice"):
        parse_digital_link("https://example.com/HxHKVAdpQgZzjr-hCDKigI?15=271130")


def test_order_of_the_pairs_makes_no_difference() -> None:
    pairs = [("01", GTIN), ("17", "271130"), ("10", "L1"), ("21", "00017"), ("240", "x")]
    assert compress(pairs) == compress(pairs[::-1])
    assert bits("1A") == "".join(f"{BASE64URL.index(c):06b}" for c in compress(pairs))[:8]


def test_what_is_compressed_is_shorter() -> None:
    pack = parse_bracketed(f"(01){GTIN}(17)271130(10)L2026A(21)7K4M2Q9TXW3B")
    assert len(pack.digital_link(compressed=True)) < 0.8 * len(pack.digital_link())


def test_leading_zeros_come_back() -> None:
    pairs = {("01", GTIN), ("10", "000"), ("21", "007"), ("30", "00000001"), ("17", "000131")}
    assert set(decompress(compress(sorted(pairs)))) == pairs


def test_two_keys_are_written_with_the_key_in_the_clear() -> None:
    """Compressed data have no order, so only one key can be in them."""
    data = element_string([("01", GTIN), ("21", "s"), ("00", SSCC)])
    link = data.digital_link("https://example.com", compressed=True)
    assert link.startswith(f"https://example.com/01/{GTIN}/")
    assert set(parse_digital_link(link).pairs) == set(data.pairs)
    assert canonical_uri(link) == canonical_uri(data.digital_link()) == f"{ROOT}/01/{GTIN}/21/s"
    for domain in (ROOT, "https://example.com"):
        with pytest.raises(IdentifierError):
            parse_digital_link(f"{domain}/{compress(data.pairs)}")


@pytest.mark.parametrize("bracketed", ["(400)ORDER", f"(01){GTIN}(21)s(8200)http://x"])
def test_data_that_no_link_can_carry_are_refused(bracketed: str) -> None:
    data = parse_bracketed(bracketed)
    with pytest.raises(IdentifierError, match="Digital Link"):
        data.digital_link(compressed=True)
    with pytest.raises(IdentifierError):
        parse_digital_link(f"{ROOT}/{compress(data.pairs)}")


@pytest.mark.parametrize(
    ("ai", "value", "size"),
    [
        ("7007", "271130", 16 + 20 + 3 + 1),  # GS1's program; Solidsoft has up to 12 digits in one
        ("7007", "271130271201", 16 + 20 + 3 + 20),
        ("7230", "EMA", 16 + 3 + 5 + 3 * 6),  # GS1's program; Solidsoft has two digits and up to 28 characters
        ("7258", "2/3", 16 + 3 + 3 * 7),  # Solidsoft has digit, character, digit; GS1's program is older than the AI
        ("4330", "000123", 16 + 20 + 3 + 1),  # Solidsoft has a sign in every value; GS1's program is older
        ("4330", "000123-", 16 + 20 + 3 + 1 + 6),
        ("242", "17", 12 + 3 + 7),  # GS1's program; Solidsoft has six digits always
        ("8007", "CH5604835012345678009", 16 + 3 + 6 + 21 * 6),  # Solidsoft; GS1's program stops at 24 characters
        ("8008", "27113023", 16 + 27 + 3 + 1),
    ],
)
def test_where_published_programs_disagree(ai: str, value: str, size: int) -> None:
    text = compress([(ai, value)])
    assert len(text) == -(-size // 6)
    assert decompress(text) == ((ai, value),)


# ---------------------------------------------------------------------------------------------- attacks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A", "in the middle"),
        ("AQnYUc1gm", "in the middle"),  # one character lost
        ("AQnYUc1gmgA", "in the middle"),  # one too many
        ("AQnYUc1gmh", "behind the last"),  # bits of the filling set
        ("AQnYUc1gmg==", "other characters"),
        ("AQnYUc1gm+", "other characters"),
        ("AQnYUc1gm%67", "other characters"),
        ("AQnYUc1gmä", "other characters"),
        ("AQnYUc1gmg\n", "other characters"),
        (segment("9E") + "AAAA", "9E is no Application Identifier"),
        (segment("B0") + "AAAA", "B0 is no Application Identifier"),
        (segment("04 0000"), "04 is no Application Identifier"),
        (segment("31 6F 00000"), "is no Application Identifier"),
        (segment("3199 00000"), "3199 is no Application Identifier"),
        (segment(f"01 '{10**14:047b}'"), "more than its 14 digits"),
        (segment(f"01 '{int(GTIN) + 1:047b}'"), "check digit"),
        (segment(f"01 {GTIN_BITS} 01 {GTIN_BITS}"), "twice"),
        (segment(f"0C {GTIN_BITS} '010' '00001' A 01 {GTIN_BITS}"), "twice"),
        (segment(f"0C {GTIN_BITS} '010' '10101' " + "A" * 21), "longer than 20"),
        (segment(f"0C {GTIN_BITS} '010' '00000'"), "X..20"),
        (segment(f"0C {GTIN_BITS} '000' '00001' '1010'"), "more than its 1 digits"),
        (segment(f"0C {GTIN_BITS} '101' '00001' '0000000'"), "no encoding 5"),
        (segment(f"0C {GTIN_BITS} '111' '00001' '0000000'"), "no encoding 7"),
        (segment(f"0C {GTIN_BITS} '100' '00001' '0011101'"), "x1d"),
        (segment(f"0C {GTIN_BITS} '100' '00001' '0100000'"), "' '"),
        (segment(f"0D {GTIN_BITS} '{271131:020b}'"), "date"),
        (segment(f"255 '{int('9501101530003'):044b}' '0000' '1'"), "more than its 0 digits"),
        (segment("F '0000000'") + "AAAAAA", "name of another kind"),
        (segment("F '0000010' '110101' '110110' '000' '0000001' '0001'"), "name of another kind"),  # F for AI 12
        (segment("F '0000001' '000000' '101' '0000001' '0000000'"), "no encoding 5"),
        (segment("F '0000001' '000000' '100' '0000001' '0000000'"), "no AI"),  # nothing but a parameter
    ],
)
def test_broken_data_are_refused(text: str, words: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        decompress(text)
    assert words in str(caught.value)
    assert caught.value.rule
    for uri in (f"{ROOT}/{text}", f"{ROOT}/414/0614141123452/{text}"):
        with pytest.raises(IdentifierError):
            parse_digital_link(uri)
    with pytest.raises(IdentifierError, match="not a GS1 Digital Link"):
        parse_digital_link(f"https://example.com/{text}")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (compress([("10", "L"), ("17", "271130")]), "needs"),  # a lot of nothing
        (compress([("01", GTIN), ("8011", "12")]), "(8010)"),
        (compress([("01", GTIN), ("254", "12")]), "(414)"),
        (f"01/{GTIN}/AQnYUc1gmg", "twice"),  # two products
        (f"01/{GTIN}/10/L/{compress([('10', 'L'), ('21', 's')])}", "twice"),
        (f"01/{GTIN}/{compress([('8011', '12')])}", "(8010)"),
        (f"01/{GTIN[:-1]}7/EEarwSM", "check digit"),
        (f"01/{GTIN}/17/271130/EEarwSM", "qualifiers"),
        (f"01/{GTIN}/EEarwSM/EEarwSM", "no GS1 key"),
        (f"01/{GTIN}/10/EEarwSM/extra", "no GS1 key"),
    ],
)
def test_compressed_data_that_break_a_rule_are_no_link(path: str, words: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_digital_link(f"{ROOT}/{path}")
    assert words in str(caught.value)
    assert canonical_uri(f"https://example.com/{path}") == f"https://example.com/{path}"


def test_nothing_is_not_compressed_data() -> None:
    with pytest.raises(IdentifierError, match="no AI"):
        decompress("")


def test_huge_input_is_refused_at_once() -> None:
    pack = compress([("01", GTIN), ("21", "s")])
    start = time.process_time()
    for text in (pack + "A" * 1_000_000, segment("F '0000001' '000000' '100' '0000000'") * 100_000, "ä" * 1_000_000):
        with pytest.raises(IdentifierError) as caught:
            decompress(text)
        assert len(str(caught.value)) < 300
        with pytest.raises(IdentifierError):
            parse_digital_link(f"{ROOT}/{text}")
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "name",
    [
        "PLUS-INFINITY",
        "with-decorator",
        "PDFActionGoTo",
        "PG-2021-91074",
        "L269339113294",
        "PR71337324804",
        "about",
        "4c1f2a70-8d7e-4f0b-9a51-0c9a4f6a9b1e",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "dQw4w9WgXcQ",
    ],
)
def test_ordinary_web_address_is_kept_as_it_is(name: str) -> None:
    """The first six would be a GTIN with a weight or a price, check digit and all: found among names of programs."""
    for uri in (f"https://example.com/{name}", f"https://example.com/orders/{name}/", f"https://example.com/01/{name}"):
        assert canonical_uri(uri) == uri
        with pytest.raises(IdentifierError, match="not a GS1 Digital Link"):
            parse_digital_link(uri)


def test_class_with_attributes_is_read_at_gs1s_domain_and_behind_its_key_only() -> None:
    data = parse_bracketed(f"(01){GTIN}(17)271130")
    assert set(parse_digital_link(data.digital_link(compressed=True)).pairs) == set(data.pairs)
    with pytest.raises(IdentifierError, match="not a GS1 Digital Link"):
        parse_digital_link(data.digital_link("https://example.com", compressed=True))
    link = f"https://example.com/01/{GTIN}/{compress([('17', '271130')])}"
    assert parse_digital_link(link) == data


# ---------------------------------------------------------------------------------------------- properties


def _digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(string.digits, min_size=least, max_size=most)


CHECKED = {
    "yymmdd": st.dates().map(lambda day: day.strftime("%y%m%d")).filter(lambda text: len(text) == 6),
    "yyyymmdd": st.dates().map(lambda day: f"{day.year:04}{day:%m%d}"),
    "hhmi": st.times().map(lambda at: at.strftime("%H%M")),
    "hh": st.integers(0, 23).map("{:02}".format),
    "mi": st.integers(0, 59).map("{:02}".format),
    "latitude": st.integers(0, 18 * 10**8).map("{:010}".format),
    "longitude": st.integers(0, 36 * 10**8).map("{:010}".format),
    "iso3166": st.sampled_from(["276", "756", "040", "056"]),
    "iso3166alpha2": st.sampled_from(["DE", "CH"]),
    "iso4217": st.sampled_from(["978", "756"]),
    "iso5218": st.sampled_from("0129"),
    "yesno": st.sampled_from("01"),
    "mediatype": st.sampled_from(["10", "80"]),
    "winding": st.sampled_from("019"),
    "zero": st.just("0"),
    "pieceoftotal": st.sampled_from(["0101", "0299"]),
    "posinseqslash": st.sampled_from(["1/1", "2/3"]),
    "packagetype": st.sampled_from(["PX", "8", "AA"]),
    "importeridx": st.sampled_from(string.ascii_letters + "-_"),
    "hyphen": st.just("-"),
    "csumalpha": st.just("1987654Ad4X4bL5ttr2310c2K"),
    "iban": st.sampled_from(["GB98MIDL07009312345678", "CH5604835012345678009"]),
    "couponcode": st.just("012345612345611110123"),
    "couponposoffer": st.just("001234561234560123456"),
}
CHECKED |= {"yymmd0": CHECKED["yymmdd"], "iso3166999": CHECKED["iso3166"], "ss": CHECKED["mi"]}
CHARACTERS = {
    "N": string.digits,
    "X": SET_82,
    "Y": "#-/0123456789" + string.ascii_uppercase,
    "Z": BASE64URL,
}
# Text that takes each of the encodings.
LIKELY = ("0123456789", "0123456789abcdef", "0123456789ABCDEF", "0123456789" + string.ascii_letters + "-_", SET_82)


@st.composite
def component_values(draw: st.DrawFn, component: str) -> str:
    """A value of one component of the table, such as ``N13,csum,gcppos1`` or ``[X..17]``."""
    if component.startswith("[") and draw(st.booleans()):
        return ""
    form, *checks = component.strip("[]").replace("]", "").split(",")
    size = int(form[1:].removeprefix(".."))
    for check in checks:
        if check in CHECKED:
            return draw(CHECKED[check])
    if "csum" in checks:
        return with_check_digit(draw(_digits(size - 1, size - 1)))
    start = "4012" if "gcppos1" in checks else ""
    characters = draw(st.sampled_from(LIKELY)) if form[0] == "X" else CHARACTERS[form[0]]
    if "pcenc" in checks:
        characters = characters.replace("%", "")
    least = 1 if ".." in form else size
    text = start + draw(st.text(characters, min_size=max(0, least - len(start)), max_size=size - len(start)))
    return text.lstrip("0") or "0" if "nozeroprefix" in checks else text


@st.composite
def values(draw: st.DrawFn, ai: str) -> tuple[str, str]:
    parts: list[str] = []
    for component in COMPONENTS[ai]:
        absent = component.startswith("[") and parts and parts[-1] == ""  # nothing stands behind what is absent
        parts.append("" if absent else draw(component_values(component)))
    return ai, "".join(parts)


def _keeps_its_rules(ai: str, value: str) -> bool:
    try:
        APPLICATION_IDENTIFIERS[ai].check(value)
    except IdentifierError:
        return False
    return True


@given(st.data())
def test_every_ai_comes_back(data: st.DataObject) -> None:
    ais = data.draw(st.lists(st.sampled_from(sorted(COMPONENTS)), min_size=1, max_size=6, unique=True))
    pairs = [pair for ai in ais if _keeps_its_rules(*(pair := data.draw(values(ai))))]
    assume(pairs)
    assert set(decompress(compress(pairs))) == set(pairs)


@pytest.mark.parametrize("form", sorted({entry.form for entry in APPLICATION_IDENTIFIERS.values()}))
def test_every_form_of_an_ai_comes_back(form: str) -> None:
    """That the property above misses none: one value at least of some AI of each form."""
    ais = [ai for ai, entry in APPLICATION_IDENTIFIERS.items() if entry.form == form]
    tried = []

    @given(st.sampled_from(ais).flatmap(values))
    def check(pair: tuple[str, str]) -> None:
        if _keeps_its_rules(*pair):
            assert decompress(compress([pair])) == (pair,)
            tried.append(pair)

    check()
    assert tried


@pytest.mark.parametrize(("code", "ais"), SEQUENCES.items())
def test_every_code_for_a_group_is_used_and_shorter(code: str, ais: tuple[str, ...]) -> None:
    samples = {
        "01": GTIN,
        "10": "L1",
        "21": "s",
        "22": "v",
        "7003": "2711302359",
        "91": "x",
        "414": "9501101530003",
        "254": "1",
        "255": "9501101530003",
        "8010": "4012A",
        "8011": "7",
        "8017": "061414112345678902",
        "8018": "061414112345678902",
        "8019": "5",
    }
    for ai in ais:
        samples.setdefault(ai, {"N6": "271130", "N4": "1250"}.get(APPLICATION_IDENTIFIERS[ai].form, "12"))
    pairs = [(ai, samples[ai]) for ai in ais]
    text = compress(pairs)
    assert "".join(f"{BASE64URL.index(c):06b}" for c in text).startswith(bits(code))
    assert decompress(text) == tuple(pairs)


@st.composite
def packs(draw: st.DrawFn) -> ElementString:
    """A pack with serial number, and other AIs of a trade item in any order."""
    gtin = with_check_digit(draw(_digits(13, 13)))
    ais = draw(st.lists(st.sampled_from(["10", "11", "17", "22", "240", "30", "712", "7003", "91"]), unique=True))
    others = [draw(values(ai)) for ai in ais]
    return element_string(draw(st.permutations([("01", gtin), draw(values("21")), *others])))


@st.composite
def logistic_units(draw: st.DrawFn) -> ElementString:
    pairs = [("00", with_check_digit(draw(_digits(17, 17))))]
    if draw(st.booleans()):
        pairs += [draw(values("02")), draw(values("37")), *draw(st.sampled_from([[], [("10", "L1")]]))]
    pairs += [draw(values(ai)) for ai in draw(st.sampled_from([(), ("400",), ("3302", "403"), ("4307", "4300")]))]
    return element_string(pairs)


@given(st.one_of(packs(), logistic_units()), st.sampled_from([ROOT, "http://x", "https://shop.example/de/p/"]))
def test_packs_and_logistic_units_come_back_at_any_domain(data: ElementString, domain: str) -> None:
    link = data.digital_link(domain, compressed=True)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", link.removeprefix(domain.rstrip("/") + "/"))
    assert set(parse_digital_link(link).pairs) == set(data.pairs)
    assert canonical_uri(link) == canonical_uri(data.digital_link(domain))


@given(st.data())
def test_any_combination_of_ais_that_a_link_can_carry_comes_back(data: st.DataObject) -> None:
    keys = [ai for ai, entry in APPLICATION_IDENTIFIERS.items() if entry.qualifiers is not None]
    others = data.draw(st.lists(st.sampled_from(sorted(COMPONENTS)), max_size=4))
    ais = dict.fromkeys([data.draw(st.sampled_from(keys)), *others])
    try:
        elements = element_string([data.draw(values(ai)) for ai in ais])
        plain = elements.digital_link()
    except IdentifierError:
        return
    link = elements.digital_link(compressed=True)
    assert set(parse_digital_link(link).pairs) == set(elements.pairs)
    assert canonical_uri(link) == canonical_uri(plain)


@given(
    st.text(BASE64URL, min_size=1, max_size=60),
    st.sampled_from(["", *SEQUENCES, "01", "00", "10", "21", "F"]),
    st.sampled_from(["", f"/01/{GTIN}", f"/00/{SSCC}", f"/01/{GTIN}/10/L"]),
)
@example("HxHKVAdpQgZzjr-hCDKigI", "", "")
def test_any_segment_is_refused_or_gives_data_that_keep_all_rules(text: str, start: str, clear: str) -> None:
    likely = segment(start)[: len(start) // 2] + text
    for uri in (f"{ROOT}{clear}/{likely}", f"https://example.com{clear}/{likely}"):
        try:
            elements = parse_digital_link(uri)
        except IdentifierError:
            continue
        assert element_string(elements.pairs) == elements
        assert canonical_uri(uri) == canonical_uri(elements.digital_link())
        assert set(parse_digital_link(elements.digital_link(compressed=True)).pairs) == set(elements.pairs)


@given(packs(), st.data())
def test_one_changed_character_never_gives_the_same_pack(pack: ElementString, data: st.DataObject) -> None:
    link = pack.digital_link("https://example.com", compressed=True)
    at = data.draw(st.integers(len("https://example.com/"), len(link) - 1))
    other = data.draw(st.sampled_from(BASE64URL).filter(lambda character: character != link[at]))
    changed = link[:at] + other + link[at + 1 :]
    try:
        read = parse_digital_link(changed)
    except IdentifierError:
        return
    assert set(read.pairs) != set(pack.pairs)
