"""Compressed GS1 Digital Link data: AIs and their values as one bit string, written in base64url.

GS1 Digital Link Standard, release 1.1 (2020), compression. A field is its AI (four bits a digit) and its value; a value
is a number of as many bits as its digits need, or text of 3.3, 4, 6 or 7 bits a character, whichever is enough. Common
groups of AIs share a code with a letter in it. Zero bits fill up the last character. (The standard of 2025 that calls
EPC binary strings compressed links is another one, and not read.)

The standard's table of formats follows here from the AIs' components (`ai_table`), so that every AI works. Published
programs disagree about a few AIs; here (7007) is six digits and up to six more, (723n) up to 30 characters, as GS1's
own program has them, and the sign of (433n) may be absent.
"""

import math
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from packtrace.errors import IdentifierError
from packtrace.gs1.application_identifiers import AI_LENGTHS, APPLICATION_IDENTIFIERS

COMPRESSION_RULE = "GS1 Digital Link Standard 1.1: compression"

BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_BITS_OF = {character: f"{index:06b}" for index, character in enumerate(BASE64URL)}

# Codes for groups of AIs that often come together, each with its key first.
SEQUENCES: dict[str, tuple[str, ...]] = {
    "0A": ("01", "22"),
    "0B": ("01", "10"),
    "0C": ("01", "21"),
    "0D": ("01", "17"),
    "0E": ("01", "7003"),
    "0F": ("01", "30"),
    "1A": ("01", "10", "21", "17"),
    "1B": ("01", "15"),
    "1C": ("01", "11"),
    "1D": ("01", "16"),
    "1E": ("01", "91"),
    "1F": ("01", "10", "15"),
    **{f"2{'ABCDEF'[n]}": ("01", f"310{n}") for n in range(6)},
    **{f"3{'ABCDEF'[n]}": ("01", f"320{n}") for n in range(6)},
    "9A": ("8010", "8011"),
    "9B": ("8017", "8019"),
    "9C": ("8018", "8019"),
    "9D": ("414", "254"),
    **{f"A{n}": ("01", f"392{n}") for n in range(10)},
    **{f"C{n}": ("255", f"390{n}") for n in range(10)},
    **{f"C{'ABCD'[n]}": ("255", f"394{n}") for n in range(4)},
}
# The first digit of what is no AI: a query parameter with a name of its own, passed over here.
_OTHER = "F"
_OTHER_LENGTH_BITS = 7

# What compressed data can begin with: two characters have the first two digits, and four bits more.
_STARTS = frozenset(
    first + second
    for first in BASE64URL
    for second in BASE64URL
    if (code := f"{int(_BITS_OF[first] + _BITS_OF[second][:2], 2):02X}") in SEQUENCES.keys() | AI_LENGTHS.keys()
    or code[0] == _OTHER
)

# Encodings of text, by their indicator of three bits.
_INDICATOR_BITS = 3
_DIGITS, _LOWER_HEX, _UPPER_HEX, _BASE64URL, _ASCII = range(5)
_BITS_A_CHARACTER = {_LOWER_HEX: 4, _UPPER_HEX: 4, _BASE64URL: 6, _ASCII: 7}
_SHORTEST_FIRST = (
    (_DIGITS, re.compile(r"[0-9]+")),
    (_UPPER_HEX, re.compile(r"[0-9A-F]+")),
    (_LOWER_HEX, re.compile(r"[0-9a-f]+")),
    (_BASE64URL, re.compile(r"[A-Za-z0-9_\-]+")),
)

# Bits for a number of so many digits, as the standard rounds: one bit where there is no digit, and one too many for 59.
_DIGIT_BITS = tuple(math.ceil(digits * math.log(10) / math.log(2) + 0.01) for digits in range(128))


@dataclass(frozen=True, slots=True)
class _Component:
    """A part of a value: digits only or any text; `length` is its greatest where it varies (and may be 0)."""

    numeric: bool
    length: int
    varies: bool

    @property
    def length_bits(self) -> int:
        return self.length.bit_length() if self.varies else 0


def compress(pairs: Sequence[tuple[str, str]]) -> str:
    """The base64url text that stands for these (AI, value) pairs, each AI once and its rules kept.

    The order of the pairs makes no difference: the group of AIs with a code that saves most goes first, the others
    follow in the order of their AIs.
    """
    values = dict(pairs)
    code, group = max(
        ((code, group) for code, group in SEQUENCES.items() if values.keys() >= set(group)),
        key=lambda found: len("".join(found[1])),
        default=("", ()),
    )
    bits = _hex_bits(code) + "".join(_value_bits(ai, values.pop(ai)) for ai in group)
    bits += "".join(_hex_bits(ai) + _value_bits(ai, value) for ai, value in sorted(values.items()))
    bits += "0" * (-len(bits) % 6)
    return "".join(BASE64URL[int(bits[start : start + 6], 2)] for start in range(0, len(bits), 6))


def may_be_compressed(text: str) -> bool:
    """Whether it is worth while to call `decompress`: false for most names on the web, at the cost of a look."""
    return text[:2] in _STARTS


def decompress(text: str) -> tuple[tuple[str, str], ...]:
    """The (AI, value) pairs in a compressed text, in its order, each value checked for itself.

    Raises IdentifierError for text that is not compressed GS1 data from its first bit to its last.
    """
    bits = _Bits(text)
    values: dict[str, str] = {}
    while bits.left >= 6:  # less is only what fills the last character
        code = bits.hexadecimal(2)
        if code[0] == _OTHER:
            _pass_over(bits, code)
            continue
        for ai in SEQUENCES.get(code) or (_ai(bits, code),):
            if ai in values:
                raise IdentifierError(
                    "this AI comes twice in compressed data", field=f"({ai})", value=text, rule=COMPRESSION_RULE
                )
            values[ai] = _value(bits, ai)
            APPLICATION_IDENTIFIERS[ai].check(values[ai])
    if not values or bits.number(bits.left):
        raise bits.error("there is no AI, or something behind the last one")
    return tuple(values.items())


class _Bits:
    """The bits of a base64url text, taken from its start."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._bits = "".join([_BITS_OF.get(character, "") for character in text])
        self._position = 0
        if len(self._bits) != 6 * len(text):
            raise self.error("it has other characters than A to Z, a to z, 0 to 9, - and _")

    @property
    def left(self) -> int:
        return len(self._bits) - self._position

    def number(self, bits: int) -> int:
        end = self._position + bits
        if end > len(self._bits):
            raise self.error("it ends in the middle of a field")
        taken = self._bits[self._position : end]
        self._position = end
        return int(taken, 2) if taken else 0

    def hexadecimal(self, digits: int) -> str:
        return f"{self.number(4 * digits):0{digits}X}" if digits else ""

    def digits(self, length: int) -> str:
        number = self.number(_DIGIT_BITS[length])
        if number >= 10**length:
            raise self.error(f"a number has more than its {length} digits")
        return f"{number:0{length}}" if length else ""

    def error(self, reason: str) -> IdentifierError:
        return IdentifierError(f"not compressed GS1 data: {reason}", value=self._text, rule=COMPRESSION_RULE)


def _ai(bits: _Bits, start: str) -> str:
    """The AI that begins with these two digits."""
    ai = start + bits.hexadecimal(AI_LENGTHS.get(start, 2) - 2)
    if ai not in APPLICATION_IDENTIFIERS:
        raise bits.error(f"{ai} is no Application Identifier and no code for several")
    return ai


def _pass_over(bits: _Bits, code: str) -> None:
    """A parameter that is not GS1's: its name in base64url, its value in any encoding, lengths of seven bits."""
    length = int(code[1], 16) << 3 | bits.number(3)
    name = _text(bits, _BASE64URL, length)
    if not name or name.isdigit():
        raise bits.error("an AI stands where a name of another kind should")
    encoding = bits.number(_INDICATOR_BITS)
    _text(bits, encoding, bits.number(_OTHER_LENGTH_BITS))


def _value(bits: _Bits, ai: str) -> str:
    value = ""
    for component in _components(APPLICATION_IDENTIFIERS[ai].form):
        encoding = _DIGITS if component.numeric else bits.number(_INDICATOR_BITS)
        length = bits.number(component.length_bits) if component.varies else component.length
        if length > component.length:
            raise bits.error(f"a part of ({ai}) is longer than {component.length} characters")
        value += _text(bits, encoding, length)
    return value


def _text(bits: _Bits, encoding: int, length: int) -> str:
    if encoding == _DIGITS:
        return bits.digits(length)
    if encoding not in _BITS_A_CHARACTER:
        raise bits.error(f"there is no encoding {encoding}")
    size = _BITS_A_CHARACTER[encoding]
    characters = [bits.number(size) for _ in range(length)]
    if encoding == _ASCII:
        return "".join(map(chr, characters))
    text = "".join([BASE64URL[n] if encoding == _BASE64URL else f"{n:x}" for n in characters])
    return text.upper() if encoding == _UPPER_HEX else text


def _value_bits(ai: str, value: str) -> str:
    bits = ""
    for component in _components(APPLICATION_IDENTIFIERS[ai].form):
        part, value = value[: component.length], value[component.length :]
        encoding = _DIGITS
        if not component.numeric:
            encoding = next((found for found, pattern in _SHORTEST_FIRST if pattern.fullmatch(part)), _ASCII)
            bits += f"{encoding:0{_INDICATOR_BITS}b}"
        if component.varies:
            bits += f"{len(part):0{component.length_bits}b}"
        bits += _text_bits(encoding, part)
    return bits


def _text_bits(encoding: int, text: str) -> str:
    if encoding == _DIGITS:
        return f"{int(text or '0'):0{_DIGIT_BITS[len(text)]}b}"
    if encoding == _ASCII:
        return "".join(f"{ord(character):07b}" for character in text)
    return "".join(map(_BITS_OF.__getitem__, text)) if encoding == _BASE64URL else _hex_bits(text)


def _hex_bits(digits: str) -> str:
    return "".join(f"{int(digit, 16):04b}" for digit in digits)


@cache  # few: the forms in the table of AIs
def _components(form: str) -> tuple[_Component, ...]:
    """The components that compression knows: digits of one kind together, all text together."""
    merged: list[_Component] = []
    for word in form.split():
        size = word.strip("[]")[1:]
        component = _Component(
            numeric="N" in word, length=int(size.removeprefix("..")), varies="[" in word or ".." in word
        )
        last = merged[-1] if merged else None
        if last and last.numeric == component.numeric and (last.varies == component.varies or not component.numeric):
            merged[-1] = replace(component, length=last.length + component.length)
        else:
            merged.append(component)
    return tuple(merged)
