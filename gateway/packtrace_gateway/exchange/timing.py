"""When to try again."""

import time
from typing import Any

from sqlalchemy import ColumnElement, or_

FIRST_SECONDS = 0.5
# A step that takes long, and how many times as long the rest of the same partner's then waits.
SLOW_SECONDS, REST = 2.0, 9.0
# No pause is that long: such a time was written by a clock that was ahead, and counts as past.
NO_PAUSE_SECONDS = 86_400.0


def backoff(attempts: int, longest: float) -> float:
    """Seconds to wait after so many failed attempts: doubled each time, up to `longest`."""
    return min(FIRST_SECONDS * (1 << min(attempts, 20)), longest)


def due(column: Any) -> ColumnElement[bool]:
    """Whether the unix time in `column` has come."""
    now = time.time()
    return or_(column <= now, column > now + NO_PAUSE_SECONDS)
