"""When to try again."""

FIRST_SECONDS = 0.5


def backoff(attempts: int, longest: float) -> float:
    """Seconds to wait after so many failed attempts: doubled each time, up to `longest`."""
    return min(FIRST_SECONDS * (1 << min(attempts, 20)), longest)
