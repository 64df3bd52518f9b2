"""What each GS1 Application Identifier (AI) carries, and the checks on its value.

The table below holds the AIs of medicine packs, logistic labels and all keys that an EPC or a Digital Link can name,
in the notation of the GS1 Barcode Syntax Dictionary, so that it can take the rest of that dictionary line by line:

    AIs  flags  components  attributes  # title

`*` marks a predefined length (no separator needed, General Specifications 7.8.5), `?` an AI that a Digital Link may
carry as data attribute. A component is N (digits), X (character set 82), Y (set 39) or Z (base64url) with its length
and the names of its checks; one in brackets may be absent. `req=` lists AIs of which one (or a group joined by +) must
be there too, `ex=` those that must not; n stands for any digit. `dlpkey` marks a Digital Link primary key with its
qualifiers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from packtrace.errors import IdentifierError
from packtrace.gs1.check_digits import CHECK_DIGIT_RULE, check_pair, has_check_digit
from packtrace.gs1.dates import is_yymmdd

_TABLE = """
00         *?  N18,csum,gcppos2                  dlpkey                                 # SSCC
01         *?  N14,csum,gcppos2                  ex=255,37 dlpkey=22,10,21|235          # GTIN
02         *?  N14,csum,gcppos2                  ex=01,03 req=37                        # CONTENT
10          ?  X..20                             req=01,02,03,8006,8026                 # BATCH/LOT
11         *?  N6,yymmd0                         req=01,02,03,8006,8026                 # PROD DATE
12         *?  N6,yymmd0                         req=8020                               # DUE DATE
13         *?  N6,yymmd0                         req=01,02,03,8006,8026                 # PACK DATE
15         *?  N6,yymmd0                         req=01,02,03,8006,8026                 # BEST BEFORE or BEST BY
16         *?  N6,yymmd0                         req=01,02,03,8006,8026                 # SELL BY
17         *?  N6,yymmd0                         req=01,02,03,255,8006,8026             # USE BY or EXPIRY
20         *?  N2                                req=01,02,03,8006,8026                 # VARIANT
21             X..20                             req=01,03,8006 ex=235                  # SERIAL
22             X..20                             req=01                                 # CPV
235            X..28                             req=01                                 # TPX
240         ?  X..30                             req=01,02,03,8006,8026                 # ADDITIONAL ID
241         ?  X..30                             req=01,02,03,8006,8026                 # CUST. PART No.
250         ?  X..30                             req=01+21,03+21,8006+21                # SECONDARY SERIAL
251         ?  X..30                             req=01,03,8006                         # REF. TO SOURCE
253         ?  N13,csum,gcppos1 [X..17]          dlpkey                                 # GDTI
254            X..20                             req=414                                # GLN EXTENSION COMPONENT
255         ?  N13,csum,gcppos1 [N..12]          dlpkey ex=01,02,415,8006,8020,8026     # GCN
30          ?  N..8                              req=01,02                              # VAR. COUNT
3100-3105  *?  N6                                req=01,02 ex=310n                      # NET WEIGHT (kg)
3300-3305  *?  N6                                req=00,01 ex=330n                      # GROSS WEIGHT (kg)
37          ?  N..8                              req=00+02,00+8026                      # COUNT
400         ?  X..30                                                                    # ORDER NUMBER
401         ?  X..30,gcppos1                     dlpkey                                 # GINC
402         ?  N17,csum,gcppos1                  dlpkey                                 # GSIN
403         ?  X..30                             req=00                                 # ROUTE
410        *?  N13,csum,gcppos1                                                         # SHIP TO LOC
411        *?  N13,csum,gcppos1                                                         # BILL TO
412        *?  N13,csum,gcppos1                                                         # PURCHASE FROM
413        *?  N13,csum,gcppos1                                                         # SHIP FOR LOC
414        *?  N13,csum,gcppos1                  dlpkey=254|7040                        # LOC No.
415        *?  N13,csum,gcppos1                  req=8020 dlpkey=8020                   # PAY TO
416        *?  N13,csum,gcppos1                                                         # PROD/SERV LOC
417        *?  N13,csum,gcppos1                  dlpkey=7040                            # PARTY
420         ?  X..20                             ex=421                                 # SHIP TO POST
7001        ?  N13                               req=01,02,8006,8026                    # NSN
7003        ?  N6,yymmdd N4,hhmi                 req=01,02,03                           # EXPIRY TIME
7004        ?  N..4                              req=01+10,03+10                        # ACTIVE POTENCY
710         ?  X..20                             req=01                                 # NHRN PZN
711         ?  X..20                             req=01                                 # NHRN CIP
712         ?  X..20                             req=01                                 # NHRN CN
713         ?  X..20                             req=01                                 # NHRN DRN
714         ?  X..20                             req=01                                 # NHRN AIM
715         ?  X..20                             req=01                                 # NHRN NDC
716         ?  X..20                             req=01                                 # NHRN AIC
717         ?  X..20                             req=01                                 # NHRN SRN
7240        ?  X..20                             req=01,8006 ex=03                      # PROTOCOL
8003        ?  N1,zero N13,csum,gcppos1 [X..16]  dlpkey                                 # GRAI
8004        ?  X..30,gcppos1                     dlpkey=7040                            # GIAI
8006        ?  N14,csum,gcppos2 N4,pieceoftotal  ex=01,03,37 dlpkey=22,10,21            # ITIP
8010        ?  Y..30,gcppos1                     dlpkey=8011                            # CPID
8011           N..12,nozeroprefix                req=8010                               # CPID SERIAL
8013        ?  X..25,csumalpha,gcppos1           dlpkey                                 # GMN
8017        ?  N18,csum,gcppos1                  ex=8018 dlpkey=8019                    # GSRN - PROVIDER
8018        ?  N18,csum,gcppos1                  ex=8017 dlpkey=8019                    # GSRN - RECIPIENT
8019           N..10                             req=8017,8018                          # SRIN
8020           X..25                             req=415                                # REF No.
8200           X..70                             req=01                                 # PRODUCT URL
90          ?  X..30                                                                    # INTERNAL
91-99       ?  X..90                                                                    # INTERNAL
"""

NATIONAL_NUMBERS = ("710", "711", "712", "713", "714", "715", "716", "717")

SYNTAX_RULE = "GS1 General Specifications, 3.2: format of the Application Identifier"
CHARACTERS_RULE = "GS1 General Specifications, 7.11: character sets"
COMPANIONS_RULE = "GS1 General Specifications, section 4: Application Identifiers that need or exclude each other"

_SETS = {
    "N": ("digits 0 to 9", "[0-9]"),
    "X": ("characters of GS1 set 82", "[!\"%&'()*+,\\-./0-9:;<=>?A-Z_a-z]"),
    "Y": ("characters of GS1 set 39", "[#\\-/0-9A-Z]"),
    "Z": ("base64url characters", "[A-Za-z0-9_=-]"),
}

# A check tells whether a component's text, already known to have the right length and characters, keeps one more rule.
Check = Callable[[str], bool]


def _has_check_pair(text: str) -> bool:
    return check_pair(text[:-2]) == text[-2:]


def _is_piece_of_total(text: str) -> bool:
    return 0 < int(text[:2]) <= int(text[2:])


_CHECKS: dict[str, tuple[Check, str, str]] = {
    "csum": (has_check_digit, "the check digit is wrong", CHECK_DIGIT_RULE),
    "csumalpha": (
        _has_check_pair,
        "the check character pair is wrong",
        "GS1 General Specifications, 7.9: check character pair",
    ),
    "gcppos1": (
        lambda text: text[:4].isdigit() and len(text) >= 4,
        "a key begins with the digits of its GS1 Company Prefix",
        "GS1 General Specifications, 1.4.4: GS1 Company Prefix",
    ),
    "hhmi": (
        lambda text: text[:2] < "24" and text[2:] < "60",
        "there is no such time of day; write HHMM",
        "GS1 General Specifications, 3.8: hour and minute",
    ),
    "nozeroprefix": (
        lambda text: text == "0" or text[0] != "0",
        "a number without leading zeros is needed",
        "GS1 General Specifications, 3.9: component and part serial number",
    ),
    "pieceoftotal": (
        _is_piece_of_total,
        "piece number and total do not fit: the piece counts from 01 up to the total",
        "GS1 General Specifications, 3.9: individual trade item piece",
    ),
    "yymmd0": (
        lambda text: is_yymmdd(text, day_may_be_zero=True),
        "there is no such date; write YYMMDD, with day 00 for the end of the month",
        "GS1 General Specifications, 3.4: dates",
    ),
    "yymmdd": (
        lambda text: is_yymmdd(text, day_may_be_zero=False),
        "there is no such date; write YYMMDD",
        "GS1 General Specifications, 3.8: dates",
    ),
    "zero": (
        lambda text: text == "0",
        "the first digit must be 0",
        "GS1 General Specifications, 3.9: GRAI",
    ),
}


@dataclass(frozen=True, slots=True)
class ApplicationIdentifier:
    """One AI, worked out once and used a million times.

    `form` is the components without their checks. `checks` are (group of `pattern`, check, message, rule). `requires`
    is a list of demands, each met by any of its groups of AI prefixes; `excludes` AI prefixes that must be absent.
    `qualifiers` are the alternative sequences of Digital Link key qualifiers, None where the AI is no primary key.
    """

    ai: str
    title: str
    predefined_length: bool
    is_attribute: bool
    form: str
    max_length: int
    characters: str
    pattern: re.Pattern[str]
    checks: tuple[tuple[int, Check, str, str], ...]
    requires: tuple[tuple[tuple[str, ...], ...], ...]
    excludes: tuple[str, ...]
    qualifiers: tuple[tuple[str, ...], ...] | None

    def check(self, value: str) -> None:
        """Raises IdentifierError, naming AI, value and rule, unless `value` keeps every rule for this AI."""
        match = self.pattern.fullmatch(value)
        if not match:
            raise self._malformed(value)
        for group, holds, message, rule in self.checks:
            if not holds(match[group]):
                raise IdentifierError(f"{self.title}: {message}", field=f"({self.ai})", value=value, rule=rule)

    def _malformed(self, value: str) -> IdentifierError:
        bad = next((c for c in value[: self.max_length] if not re.match(self.characters, c)), None)
        if bad is not None:
            names = " and ".join(name for name, pattern in _SETS.values() if pattern in self.characters)
            message, rule = f"{bad!a} is not allowed here; only {names} are", CHARACTERS_RULE
        else:
            message, rule = f"the form {self.form} is needed, this has {len(value)} characters", SYNTAX_RULE
            if len(value) > self.max_length and not self.predefined_length:
                message += "; perhaps the separator (GS) behind it was lost"
        return IdentifierError(f"{self.title}: {message}", field=f"({self.ai})", value=value, rule=rule)


def _read_table(table: str) -> dict[str, ApplicationIdentifier]:
    entries = {}
    for line in table.strip().splitlines():
        body, title = line.split("#")
        ais, *words = body.split()
        flags = words.pop(0) if words[0][0] in "*?" else ""
        components = [word for word in words if re.match(r"\[?[NXYZ][0-9.]", word)]
        first, _, last = ais.partition("-")
        for number in range(int(first), int(last or first) + 1):
            ai = f"{number:0{len(first)}}"
            entries[ai] = _entry(ai, title.strip(), flags, components, words[len(components) :])
    return entries


def _entry(ai: str, title: str, flags: str, components: list[str], attributes: list[str]) -> ApplicationIdentifier:
    pattern, characters, longest = "", [], 0
    checks = []
    for group, component in enumerate(components, start=1):
        optional = component.startswith("[")
        form, *names = component.replace("[", "").replace("]", "").split(",")
        kind, variable, length = form[0], ".." in form, int(form[1:].removeprefix(".."))
        pattern += f"({_SETS[kind][1]}{{{'1,' if variable else ''}{length}}}){'?' if optional else ''}"
        characters.append(_SETS[kind][1])
        longest += length
        # What begins a key of digits only could be looked up in GS1's list of prefixes; there is nothing to see in it.
        checks += [
            (group, *_CHECKS[name]) for name in names if name != "gcppos2" and (kind != "N" or name != "gcppos1")
        ]
    given = [attribute.partition("=") for attribute in attributes]
    keys = [qualifiers for name, _, qualifiers in given if name == "dlpkey"]
    return ApplicationIdentifier(
        ai=ai,
        title=title,
        predefined_length="*" in flags,
        is_attribute="?" in flags,
        form=" ".join(re.sub(r",[a-z0-9]+", "", component) for component in components),
        max_length=longest,
        characters="|".join(dict.fromkeys(characters)),
        pattern=re.compile(pattern),
        checks=tuple(checks),
        requires=tuple(
            tuple(tuple(part.rstrip("n") for part in group.split("+")) for group in groups.split(","))
            for name, _, groups in given
            if name == "req"
        ),
        excludes=tuple(
            excluded.rstrip("n") for name, _, listed in given if name == "ex" for excluded in listed.split(",")
        ),
        qualifiers=tuple(tuple(q.split(",")) if q else () for q in keys[0].split("|")) if keys else None,
    )


APPLICATION_IDENTIFIERS = _read_table(_TABLE)

# The first two digits of an AI tell how many it has (General Specifications, 7.8).
AI_LENGTHS = {ai[:2]: len(ai) for ai in APPLICATION_IDENTIFIERS}


def application_identifier(ai: str) -> ApplicationIdentifier:
    """The table's entry. Raises IdentifierError for an AI that is not in it."""
    try:
        return APPLICATION_IDENTIFIERS[ai]
    except KeyError:
        raise IdentifierError(
            "unknown Application Identifier; check that the code is a GS1 code and was read completely",
            field=f"({ai[:4]})",
            value=ai,
            rule=SYNTAX_RULE,
        ) from None


def check_companions(ais: tuple[str, ...]) -> None:
    """That AIs which need another have it, and that none is beside one it excludes.

    `ais` are all different AIs of everything read from one item: the rules hold for its codes together.
    Raises IdentifierError naming the AI and the rule.
    """
    problem = _companion_problem(ais)
    if problem:
        ai, message = problem
        raise IdentifierError(message, field=f"({ai})", value=" ".join(f"({a})" for a in ais), rule=COMPANIONS_RULE)


# The same few combinations come again and again.
@lru_cache(maxsize=1024)
def _companion_problem(ais: tuple[str, ...]) -> tuple[str, str] | None:
    def present(prefix: str, beside: str) -> bool:
        return any(ai.startswith(prefix) and ai != beside for ai in ais)

    for ai in ais:
        entry = application_identifier(ai)
        for excluded in entry.excludes:
            if present(excluded, ai):
                return ai, f"{entry.title} cannot stand beside ({excluded}) on one item; remove one of them"
        for demand in entry.requires:
            if not any(all(present(prefix, ai) for prefix in group) for group in demand):
                needed = " or ".join(" with ".join(f"({prefix})" for prefix in group) for group in demand)
                return ai, f"{entry.title} needs {needed} on the same item; scan all codes of the label together"
    return None
