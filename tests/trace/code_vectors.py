"""Scans and Digital Links, of other programs and of our own, good and spoilt: what the phone page must read or refuse.

`SOLIDSOFT` are from the feature files of Solidsoft-Reply/Gs1DigitalLinkLib (CompressGs1DigitalLink,
AdditionalUriContent), `DIGITAL_LINK_JS` from the tests of gs1/digital-link.js, which runs GS1's own prototype.
"""

import random
import re
import string
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache

from packtrace.errors import IdentifierError
from packtrace.gs1 import element_string, with_check_digit
from packtrace.gs1.ai_table import TABLE
from packtrace.gs1.application_identifiers import APPLICATION_IDENTIFIERS
from packtrace.gs1.check_digits import check_pair
from packtrace.gs1.link_compression import BASE64URL, SEQUENCES, compress

Pair = tuple[str, str]
Pairs = tuple[Pair, ...]
GTIN = "04012345123456"
SSCC = "106141412345678908"
SET_82 = string.ascii_letters + string.digits + "!\"%&'()*+,-./:;<=>?_"
ROOT, ELSEWHERE = "https://id.gs1.org", "https://example.com"
# Whose lists are not fetched by phones: such an AI in compressed data is refused there.
NOT_IN_JAVASCRIPT = ("couponcode", "couponposoffer", "iban", "packagetype", "iso3166alpha2")
LIKELY = (string.digits, "0123456789abcdef", "0123456789ABCDEF", BASE64URL, SET_82)
OF_A_PACK = ("10", "11", "15", "17", "20", "22", "240", "250", "30", "422", "710", "716", "7003", "8008", "91")
VALUES_A_FORM, PACKS, SPOILT, NAMES, SCANS = 3, 60, 160, 120, 240

# Written and read alike: no group of AIs has a code here.
SOLIDSOFT = [
    ("/00/998440410914660971", "AN2yxDhfaiaw"),
    ("/01/05412345000013", "AQnYUc1gmg"),
    ("/01/05412345000013/235/8TFV883a904GH%263", "AQnYUc1gmkax7ipGrOHDPC5YNI8hMz"),
    ("/253/3060077601309", "JTLIetaiHYA"),
    ("/255/5678409730535", "JVUqG5hJ5wA"),
    ("/401/0541234537290A41%26GHpp33", "QBl2DVoxZM2jVm3ZOWEFoxTR5HDgzZg"),
    ("/402/21173492661712079", "QCJZyW9mC6Z4"),
    ("/410/5060917510004", "QQSaVjC_dA"),
    ("/414/5060917510004", "QUSaVjC_dA"),
    ("/414/5060917510004/7040/5KFX", "QUSaVjC_dHBAVlCrg"),
    ("/417/5060917510004/7040/5KFX", "QXSaVjC_dHBAVlCrg"),
    ("/8004/0541234537290A41%26GHpp33/7040/7BVR", "cEB2CqjAAkuwatGLJm0as27JywgtGKaPI4cGbM"),
    ("/8003/04965031954585", "gAMJCAXukTMA"),
    ("/8004/0541234537290A41%26GHpp33", "gASXYNWjFkzaNWbdk5YQWjFNHkcODNm"),
    ("/8010/0541234537290A41%23GH33", "gBCVYNWjFkzaNWbdk5YQWjFHHkM2Y"),
    ("/8013/5060917511473062B98T", "gBN05060917511473062B98T"),
    ("/8017/817019610850151481", "gBe1ajAd9ATDk"),
    ("/8018/411369833821910265", "gBhbV6rzBENPk"),
    # Behind a key in the clear.
    ("/10/ABC123", "EEarwSM"),
    ("/10/ABC123/21/72292641703", "EEarwSMhC4an0V04"),
    ("/10/ABC123/17/290331", "EEarwSMXRuGw"),
    ("/22/AJY3095721P49", "Im0AljfT3nvbU_j0"),
    ("/235/8TFV883a904GH%263", "I1j3FSNWcOGeFywaR5CZm"),
    ("/254/RP56J920471", "JUa0T-eifdtOO9Q"),
    ("/7040/5KFX", "cEBWUKu"),
    ("/8011/6639047221", "gBGmLt9I1"),
    ("/8019/4003812", "gBlz0X5A"),
]

# Piece 2 of 1: we write as that program does, and refuse what it reads.
SOLIDSOFT_WRITTEN = [
    ("/8006/054123450000130201/22/AJY3095721P49", "Im0AljfT3nvbU_j2ABgwEj9s0bAmQ"),
    ("/8006/054123450000130201/10/ABC123/21/72292641703", "EEarwSMhC4an0V08ADBgJH7Zo2BMg"),
    ("/8006/054123450000130201/10/ABC123", "EEarwSOABgwEj9s0bAmQ"),
    ("/8006/054123450000130201", "gAYMBI_bNGwJk"),
]

# That program leaves the codes for groups of AIs out unless asked for them, and may add parameters that are not GS1's.
SOLIDSOFT_READ = [
    ("/01/05412345000013/10/ABC123", "AQnYUc1gmiCNV4JG"),
    ("/01/05412345000013/10/ABC123/21/72292641703", "AQnYUc1gmiCNV4JGQhcNT6K6c"),
    ("/01/05412345000013/22/AJY3095721P49/10/ABC123/21/72292641703", "AQnYUc1gmiCNV4JGQhcNT6K6cibQCWN9Pee9tT-PQ"),
    ("/01/05412345000013/21/72292641703", "AQnYUc1gmkIXDU-iun"),
    ("/414/5060917510004/254/RP56J920471", "JUa0T-eifdtOO9UFEmlYwv3Q"),
    ("/8010/0541234537290A41%23GH33/8011/6639047221", "gBCVYNWjFkzaNWbdk5YQWjFHHkM2cAI0xdvpGo"),
    ("/8017/817019610850151481/8019/4003812", "gBe1ajAd9ATDmAGXPRfk"),
    ("/8018/411369833821910265/8019/4003812", "gBhbV6rzBENPmAGXPRfk"),
    ("/01/05412345000013/10/ABC123/17/290331", "AQnYUc1gmiCNV4JGLo3DY"),
    ("/01/05412345000013/10/ABC123/17/290331", "AQnYUc1gmiCNV4JGLo3Dfg2q72Etrue8K7RPRWwjc0D4"),
    ("/10/ABC123/17/290331", "EEarwSMXRuG_BtV3sJbXc94V2ieithG5oHw"),
]

DIGITAL_LINK_JS = [
    ("https://dlnkd.tn.gg/HxHKVAdpQgZzjr-hCDKigI", "(01)09780345418913(10)231(15)120820(21)345345"),
    ("https://example.com/some/other/path/info/DBHKVAdpQgowOQ", "(01)09780345418913(21)12345"),
]


def _components() -> dict[str, list[str]]:
    found = {}
    for line in TABLE.strip().splitlines():
        ais, *words = line.partition("#")[0].split()
        first, _, last = ais.partition("-")
        for number in range(int(first), int(last or first) + 1):
            found[f"{number:0{len(first)}}"] = [word for word in words if re.match(r"\[?[NXYZ][0-9.]", word)]
    return found


COMPONENTS = _components()


def texts() -> Iterator[str]:
    """Compressed texts: those of other programs, every AI, every group of AIs; and each of some of them spoilt."""
    good = [text for _, text in (*SOLIDSOFT, *SOLIDSOFT_READ)]
    values = {ai: values_of(ai) for ai in APPLICATION_IDENTIFIERS if not checks_of(ai) & {*NOT_IN_JAVASCRIPT}}
    good += [compress([(ai, value)]) for ai, found in values.items() for value in found]
    good += [compress([(ai, values[ai][0]) for ai in group]) for group in SEQUENCES.values()]
    yield from good
    yield from (text for _, text in SOLIDSOFT_WRITTEN)
    yield from ("", "A", "AQnYUc1gmg==", "AQnYUc1gm+", "AQnYUc1gmä", "AQnYUc1gmg\n")
    yield from _spoilt(good, "texts")


def links() -> Iterator[str]:
    """Links in the clear, compressed, and both, at GS1's domain and elsewhere; spoilt ones, and any names."""
    seed = random.Random("links")
    for elements in (element_string(pairs) for pairs in _packs(seed)):
        for domain in (ROOT, f"{ELSEWHERE}/de/p"):
            yield elements.digital_link(domain)
            yield elements.digital_link(domain, compressed=True)
    good = [uri for uri, _ in DIGITAL_LINK_JS]
    pack = element_string([("01", GTIN), ("10", "A/B%"), ("21", "12"), ("17", "291031")])
    good += [pack.digital_link(), pack.digital_link(ELSEWHERE, compressed=True)]
    good += [f"{domain}{path}" for domain in (ROOT, ELSEWHERE) for path, _ in (*SOLIDSOFT, *SOLIDSOFT_READ)]
    good += [f"{domain}/{text}" for domain in (ROOT, ELSEWHERE) for _, text in (*SOLIDSOFT, *SOLIDSOFT_READ)]
    good += [f"{ROOT}/01/{GTIN}/{text}" for _, text in SOLIDSOFT]
    yield from good
    for path in _paths():
        yield ROOT + path
        yield ELSEWHERE + path
    yield from _spoilt(good, "spoilt links")
    for _ in range(NAMES):
        start = seed.choice(["", "A", "D", "H"])
        yield f"{ELSEWHERE}/{start}{''.join(seed.choices(BASE64URL, k=seed.randrange(4, 24)))}"


def scans() -> Iterator[str]:
    """Packs with any AIs beside, as a scanner sends them; and the same spoilt."""
    seed = random.Random("scans")
    ais = [ai for ai in APPLICATION_IDENTIFIERS if not checks_of(ai) & {*NOT_IN_JAVASCRIPT}]
    packs = [*_packs(seed)]
    packs += [_pack(seed, seed.sample(ais, k=seed.randrange(3))) for _ in range(SCANS)]
    good = ["]d2" + _encoded(pairs) for pairs in packs]
    yield from good
    for scan in good:
        at = seed.randrange(3, len(scan))
        yield scan[:at] + seed.choice(["", "\x1d", seed.choice(SET_82 + " \x1d")]) + scan[at + 1 :]
    yield from (f"]d201{GTIN}21S\x1d8030{signature}" for signature in ("QQ", "QQ==", "Q=Q", "QQ===", "="))
    yield from ("]d1" + good[0][3:], good[0][3:], "]C1" + good[0][3:], "]Q3" + good[1][3:], "]e0" + good[2][3:], "]d2")


def labels() -> Iterator[str]:
    """Codes in every form, of packs, of logistic units, of what is neither, and of what could be taken for either."""
    seed = random.Random("labels")
    sscc, product, serial, lot, expiry = ("00", SSCC), ("01", GTIN), ("21", "S(1"), ("10", "L"), ("17", "291000")
    content = [("02", GTIN), ("37", "12")]
    whole = [sscc, product, serial, lot, expiry]
    kinds = [[sscc], [sscc, *content], [sscc, product], [product], [product, serial], [lot, product], whole, whole[1:]]
    kinds += [[product, serial, ("414", "9501101530003")], [("414", "9501101530003")], [("8018", "411369833821910265")]]
    kinds += [seed.sample(whole, k=5) for _ in range(6)]
    for pairs in kinds:
        elements = element_string(pairs)
        yield from ("]d2" + elements.encode(), "]C1" + elements.encode(), elements.bracketed())
        with suppress(IdentifierError):  # not everything has a link
            for domain in (ROOT, ELSEWHERE):
                yield from (elements.digital_link(domain), elements.digital_link(domain, compressed=True))
    yield f"{ROOT}/01/{GTIN}/21/S?00={SSCC}"
    yield from (f"(01){GTIN[1:]}(21)S", f"(21)S(01){GTIN}", "(21)S", f"(00){SSCC}(21)S", f"(00){SSCC}(37)1", "(01", "x")
    yield from (f"]d1{GTIN}", f"]d200{SSCC[:-1]}9", f"]d200{SSCC}01{GTIN}21", f"00{SSCC}", f"(00){SSCC}\n")


def _encoded(pairs: list[Pair]) -> str:
    """What is in the symbol, whatever rules the AIs break together."""
    fields = (ai + value + ("" if APPLICATION_IDENTIFIERS[ai].predefined_length else "\x1d") for ai, value in pairs)
    return "".join(fields).removesuffix("\x1d")


def _pack(seed: random.Random, others: Iterable[str]) -> list[Pair]:
    gtin = with_check_digit("".join(seed.choices(string.digits, k=13)))
    pairs = [("01", gtin), *((ai, seed.choice(values_of(ai))) for ai in ("21", *others))]
    seed.shuffle(pairs)
    return pairs


def _paths() -> Iterable[str]:
    """What is hard to tell apart, or breaks one rule."""
    gtin, weighed = f"/01/{GTIN}", element_string([("01", GTIN), ("3102", "000123")])
    product, serial, lot = ("01", GTIN), ("21", "s"), ("10", "L")
    yield from ("", "/", "/about", "/PLUS-INFINITY", "/PG-2021-91074", "/L269339113294", "/dQw4w9WgXcQ")
    yield from (
        gtin,
        f"{gtin}/",
        f"{gtin}//",
        f"/01/{GTIN[1:]}/21/x",
        f"/01/{GTIN[1:-1]}7/21/x",
        f"/01/{GTIN[:-1]}7/21/x",
    )
    yield from (f"/x{gtin}/21/x", f"/21/x{gtin}", f"/gtin/{GTIN}/ser/x", f"{gtin}/21/DBHKVAdpQgowOQ")
    for qualifiers in ("21/x/10/y", "10/y/21/x", "22/v/10/y/21/x", "22/v/21/x", "235/x", "21/x/235/y"):
        yield f"{gtin}/{qualifiers}"
    for value in ("%", "%2", "%zz", "%FF", "%C3%A9", "%20", "a+b", "x" * 20, "x" * 21):
        yield f"{gtin}/21/{value}"
    for fragment in ("#", "#top#?10=L", "#a\nb\rc"):
        yield f"{gtin}/21/x{fragment}"
    for query in (
        "17=291031&10=L1", "17=291332", "17=290230", "17=290200", "21=x", "21=y", "10=L&10=L", "10=L&10=M", "18=1",
        "99999=1", "17", "10=", "s=1&linkType=all#top", "10=a%2Bb", "10=a+b", "10=a=b", "37=2", f"02={GTIN}&37=2",
        "422=276&7040=1ABC", "422=276", "422=999", "3932=9781", "255=1",
    ):  # fmt: skip
        yield f"{gtin}/21/x?{query}"
    yield from (f"/00/{SSCC}", f"/00/{SSCC}?02={GTIN}&37=4", f"/00/{SSCC}?37=4", f"/00/{SSCC[:-1]}9")
    yield weighed.digital_link("", compressed=True)
    for behind in ([lot, serial], [("8011", "12")], [("414", "9501101530003")]):
        yield f"{gtin}/{compress(behind)}"
        yield f"{gtin}/10/L/{compress(behind)}"
    yield f"/414/9501101530003/{compress([product, serial])}"
    for together in (
        [product, serial, ("00", SSCC)], [lot, ("17", "271130")], [product, ("8011", "12")],
        [product, serial, ("8200", "http://x")],
    ):  # fmt: skip
        yield f"/{compress(together)}"
    yield f"/{compress([product, serial])}?17=271130&linkType=all"
    yield f"/{compress([product, serial, ('17', '271130')])}?17=271131"


def _packs(seed: random.Random) -> Iterator[list[Pair]]:
    for number in range(PACKS):
        yield _pack(seed, seed.sample(OF_A_PACK, k=number % 6))


def _spoilt(good: list[str], name: str) -> Iterator[str]:
    """One character another, away or too many; some of them are good still."""
    seed = random.Random(name)
    for _ in range(SPOILT):
        text = seed.choice(good)
        at = seed.randrange(len(text) // 3, len(text))
        yield text[:at] + seed.choice(["", seed.choice(BASE64URL), text[at] + seed.choice(BASE64URL)]) + text[at + 1 :]


def checks_of(ai: str) -> set[str]:
    return {check for component in COMPONENTS[ai] for check in component.replace("]", "").split(",")[1:]}


@cache
def values_of(ai: str) -> tuple[str, ...]:
    """Values that keep the AI's rules, of different lengths and characters."""
    seed = random.Random(ai)
    found: list[str] = []
    for _ in range(200_000):
        value = ""
        for component in COMPONENTS[ai]:
            part = "" if component.startswith("[") and seed.random() < 0.3 else _part(component, seed)
            if component.startswith("[") and not part:
                break  # nothing stands behind what is absent
            value += part
        with suppress(IdentifierError):
            APPLICATION_IDENTIFIERS[ai].check(value)
            found.append(value)
        if len(found) == VALUES_A_FORM:
            return tuple(found)
    raise AssertionError(f"no value was found for ({ai})")


def _part(component: str, seed: random.Random) -> str:
    form, *checks = component.strip("[]").replace("]", "").split(",")
    size = int(form[1:].removeprefix(".."))
    length = seed.randint(1, size) if ".." in form else size
    characters = {"N": string.digits, "X": seed.choice(LIKELY), "Y": "#-/0123456789ABCXYZ", "Z": BASE64URL}[form[0]]
    text = "".join(seed.choices(characters, k=length))
    if "csum" in checks:
        return with_check_digit(text[:-1])
    if "gcppos1" in checks:
        text = ("9501" + text)[: max(4, length)]
    if "csumalpha" in checks and len(text) > 4:
        return text[:-2] + (check_pair(text[:-2]) or "")
    if "posinseqslash" in checks:
        return seed.choice(["1/1", "2/3", "3/9"])
    if "hyphen" in checks:
        return "-"
    return text
