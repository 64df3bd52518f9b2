"""Column types of our own."""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Enum
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

HALF = 1 << 63


class Unsigned64(TypeDecorator[int]):
    """A uint64 of the contracts (unit, batch, logistic unit) in a signed 64-bit column, as two's complement.

    Equality works in SQL; order does not, for numbers from 2^63.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        if value is None:
            return None
        if not 0 <= value < 2 * HALF:
            raise ValueError(f"{value} is not an unsigned number of 64 bits")
        return value - 2 * HALF if value >= HALF else value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value) % (2 * HALF)


def words(of: type[StrEnum], length: int) -> Enum:
    """The type of a column that holds one of a few words, as they are written."""
    return Enum(of, values_callable=lambda kind: [word.value for word in kind], native_enum=False, length=length)
