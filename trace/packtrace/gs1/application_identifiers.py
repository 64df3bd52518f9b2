"""What each GS1 Application Identifier (AI) carries, and which others it needs or forbids beside it."""

import re
from dataclasses import dataclass
from functools import lru_cache

from packtrace.errors import IdentifierError
from packtrace.gs1.ai_table import TABLE
from packtrace.gs1.component_checks import CHECKS, Check

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
# What a component looks like as a whole; padding may be left away (7.11: character set 64).
_AHEAD = {"Z": "(?=[A-Za-z0-9_-]+={0,2}$)"}


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
        if match is None:
            raise self._malformed(value)
        for group, holds, message, rule in self.checks:
            text = match[group]
            if text is not None and not holds(text):  # None: an optional component that is absent
                raise IdentifierError(f"{self.title}: {message}", field=f"({self.ai})", value=value, rule=rule)

    def _malformed(self, value: str) -> IdentifierError:
        bad = next((c for c in value[: self.max_length] if not re.match(self.characters, c)), None)
        if bad is not None:
            names = " and ".join(name for name, pattern in _SETS.values() if pattern in self.characters)
            message, rule = f"{bad!a} is not allowed here; only {names} are", CHARACTERS_RULE
        elif self.form.startswith("Z") and len(value) <= self.max_length and value:
            message, rule = "base64url is padded at its end only, with = or ==", CHARACTERS_RULE
        else:
            message, rule = f"the form {self.form} is needed, this has {len(value)} characters", SYNTAX_RULE
            if len(value) > self.max_length and not self.predefined_length:
                message += "; perhaps the separator (GS) behind it was lost"
        return IdentifierError(f"{self.title}: {message}", field=f"({self.ai})", value=value, rule=rule)


def _read_table(table: str) -> dict[str, ApplicationIdentifier]:
    entries = {}
    for line in table.strip().splitlines():
        body, _, title = line.partition("#")
        ais, *words = body.split()
        flags = words.pop(0) if words[0][0] in "*?" else ""
        components = [word for word in words if re.match(r"\[?[NXYZ][0-9.]", word)]
        first, _, last = ais.partition("-")
        for number in range(int(first), int(last or first) + 1):
            ai = f"{number:0{len(first)}}"
            entries[ai] = _entry(ai, title.strip() or f"AI {ai}", flags, components, words[len(components) :])
    return entries


def _entry(ai: str, title: str, flags: str, components: list[str], attributes: list[str]) -> ApplicationIdentifier:
    pattern, characters, longest = "", [], 0
    checks = []
    for group, component in enumerate(components, start=1):
        optional = component.startswith("[")
        form, *names = component.replace("[", "").replace("]", "").split(",")
        kind, variable, length = form[0], ".." in form, int(form[1:].removeprefix(".."))
        whole = f"{_AHEAD.get(kind, '')}{_SETS[kind][1]}{{{'1,' if variable else ''}{length}}}"
        pattern += f"({whole}){'?' if optional else ''}"
        characters.append(_SETS[kind][1])
        longest += length
        # There is nothing to see in the company prefix of a key of digits only.
        checks += [(group, *CHECKS[name]) for name in names if name != "gcppos2" and (kind != "N" or name != "gcppos1")]
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


APPLICATION_IDENTIFIERS = _read_table(TABLE)

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
