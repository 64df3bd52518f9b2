"""North American coupon codes, AI (8110) and (8112): digits whose fields say their own lengths.

GS1 US, "North American Coupon Application Guideline Using GS1 DataBar Expanded Symbols", and "GS1 AI (8112) Coupon Data
Specification". Values are read here as far as their form can be wrong; what a coupon is worth is not looked at.
"""

from collections.abc import Callable

from packtrace.gs1.dates import full_year, is_yymmdd

_PREFIX = 6  # a length digit of 0 means a GS1 Company Prefix of 6 digits
_OFFER = 6
_FAMILY = 3
_REQUIREMENTS = "012349"


class _MalformedError(Exception):
    """The digits end too early, or one of them has no meaning."""


class _Digits:
    """Takes fields from the front."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._text)

    def take(self, length: int) -> str:
        field = self._text[self._position : self._position + length]
        if len(field) < length:
            raise _MalformedError
        self._position += length
        return field

    def one_of(self, allowed: str) -> str:
        digit = self.take(1)
        if digit not in allowed:
            raise _MalformedError
        return digit

    def counted(self, allowed: str, more: int = 0) -> str:
        """A field behind the digit that tells its length, less `more`."""
        return self.take(int(self.one_of(allowed)) + more)

    def begins(self, name: str) -> bool:
        """Whether the optional field of this name is next; its name is taken then."""
        found = self._text.startswith(name, self._position)
        self._position += found
        return found

    def date(self) -> str:
        text = self.take(6)
        if not is_yymmdd(text, day_may_be_zero=False):
            raise _MalformedError
        return text


def is_coupon(text: str) -> bool:
    """Whether AI (8110) can carry this: company prefix, offer, value and purchases, then optional fields in order."""
    return _is_whole(text, _coupon)


def is_positive_offer(text: str) -> bool:
    """Whether AI (8112) can carry this: format, funder, offer code and serial number, and nothing more."""
    return _is_whole(text, _positive_offer)


def _is_whole(text: str, read: Callable[[_Digits], None]) -> bool:
    if not (text.isascii() and text.isdigit()):
        return False
    digits = _Digits(text)
    try:
        read(digits)
    except _MalformedError:
        return False
    return not digits


def _coupon(digits: _Digits) -> None:
    digits.counted("0123456", _PREFIX)
    digits.take(_OFFER)
    digits.counted("12345")  # save value
    _purchase(digits)
    expires = starts = None
    if digits.begins("1"):
        digits.one_of("0123")  # how the purchases belong together
        _purchase(digits)
        _company(digits)
    if digits.begins("2"):
        _purchase(digits)
        _company(digits)
    if digits.begins("3"):
        expires = digits.date()
    if digits.begins("4"):
        starts = digits.date()
    if expires and starts and _day(expires) < _day(starts):
        raise _MalformedError
    if digits.begins("5"):
        digits.counted("0123456789", 6)  # serial number
    if digits.begins("6"):
        digits.counted("1234567", 6)  # the retailer's company prefix or GLN
    if digits.begins("9"):
        digits.one_of("01256")  # what the save value is of
        digits.one_of("012")  # which purchase it applies to
        digits.take(1)  # store coupon
        digits.one_of("01")  # not to be multiplied


def _positive_offer(digits: _Digits) -> None:
    digits.one_of("01")
    digits.counted("0123456", _PREFIX)
    digits.take(_OFFER)
    digits.counted("0123456789", 6)


def _purchase(digits: _Digits) -> None:
    digits.counted("12345")
    digits.one_of(_REQUIREMENTS)
    digits.take(_FAMILY)


def _company(digits: _Digits) -> None:
    """Another company's prefix; 9: the same as the first."""
    length = digits.one_of("01234569")
    if length != "9":
        digits.take(int(length) + _PREFIX)


def _day(text: str) -> tuple[int, str]:
    return full_year(int(text[:2])), text[2:]
