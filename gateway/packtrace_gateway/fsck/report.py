"""What a check found."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: of what (a table's row, an event, a unit), and what differs."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(slots=True)
class Checked:
    """How many things of each kind were looked at, so that "no differences" says about what."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, number: int = 1) -> None:
        self.counts[kind] += number
