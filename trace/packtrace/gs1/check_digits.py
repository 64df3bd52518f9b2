"""GS1 check digits and check character pairs (General Specifications, section 7.9).

The check digit finds every single wrong digit. Of swapped neighbours it misses those that differ by 5: its weights are
3 and 1, and 2 · 5 is a multiple of 10.
"""

import re
from functools import lru_cache

from packtrace.errors import IdentifierError

CHECK_DIGIT_RULE = "GS1 General Specifications, 7.9.1: check digit"

# Every key with a check digit has 8 to 18 digits; longer components (GDTI, GRAI) carry theirs in the first 13 or 14.
MAX_DIGITS = 18

# str.isdigit also accepts digits of other scripts, which GS1 does not.
_DIGITS = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}")

_CSET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_CSET_32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CHARACTER_VALUES = {character: value for value, character in enumerate(_CSET_82)}
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)


def check_digit(digits: str) -> str:
    """The check digit for `digits` (1 to 18 of them, without check digit).

    Raises IdentifierError for anything but ASCII digits.
    """
    if not _DIGITS.fullmatch(digits):
        raise IdentifierError(
            f"a check digit is made from 1 to {MAX_DIGITS} digits 0 to 9", value=digits, rule=CHECK_DIGIT_RULE
        )
    return str(-_weighted_sum(digits + "0") % 10)


def with_check_digit(digits: str) -> str:
    """`digits` with the check digit behind them. Raises IdentifierError as `check_digit` does."""
    return digits + check_digit(digits)


@lru_cache(maxsize=4096)  # one product is scanned again and again
def has_check_digit(digits: str) -> bool:
    """Whether the last of these ASCII digits is the right check digit. The caller knows that they are digits."""
    return _weighted_sum(digits) % 10 == 0


def _weighted_sum(digits: str) -> int:
    """Digits weighted 1, 3, 1, 3, … from the right; the last one is the check digit."""
    codes = digits.encode("ascii")
    odd, even = codes[::-2], codes[-2::-2]
    return sum(odd) + 3 * sum(even) - ord("0") * (len(odd) + 3 * len(even))


def check_pair(key: str) -> str | None:
    """The check character pair for an alphanumeric key such as the GMN, or None if `key` cannot carry one.

    `key` is 1 to 23 characters of character set 82, without the pair.
    """
    if not 0 < len(key) <= len(_PRIMES) or not _CHARACTER_VALUES.keys() >= set(key):
        return None
    weights = _PRIMES[len(key) - 1 :: -1]
    total = sum(_CHARACTER_VALUES[c] * weight for c, weight in zip(key, weights, strict=True)) % 1021
    return _CSET_32[total >> 5] + _CSET_32[total & 31]
