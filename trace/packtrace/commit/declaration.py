"""An error declaration: that an earlier event is wrong, said by the party that recorded it (EPCIS 2.0, 7.4.1.3).

It is an event of its own: the fields and items of the erroneous one, the same eventID, and what was wrong. Its core
names the erroneous event, and those that stand in its place, by their digests, as ``declares``:

    {"event": digest, "time": when it was declared, "reason": word or null, "corrections": [digest, …]}

So whoever holds the erroneous event can tell, from the declaration's header alone, that its own maker takes it back.
Its items are never shown: a declaration moves nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packtrace.commit.header import TIME
from packtrace.errors import EvidenceError

MEMBER = "declares"
# Events in the place of one; more is a mistake.
MOST_CORRECTIONS = 64
MAX_REASON = 256
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a declaration says. `time` is UTC with milliseconds, `reason` a word of the CBV (7.5) or a URI."""

    event: bytes
    time: str
    reason: str | None
    corrections: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """As in the core."""
        return {
            "event": self.event.hex(),
            "time": self.time,
            "reason": self.reason,
            "corrections": [digest.hex() for digest in self.corrections],
        }

    @property
    def words(self) -> str:
        """The reason for people."""
        return (self.reason or "no reason given").replace("_", " ")


def declaration_of(core: Mapping[str, Any]) -> Declaration | None:
    """What the core of a header declares; None where it is that of any other event.

    Raises EvidenceError when it is not well formed, so that nothing has two forms.
    """
    said = core.get(MEMBER)
    if said is None:
        if MEMBER in core:
            raise EvidenceError("a core that declares nothing does not say so", field=MEMBER, rule="header")
        return None
    try:
        event, time, reason, corrections = said["event"], said["time"], said["reason"], said["corrections"]
        sound = (
            len(said) == 4
            and DIGEST.fullmatch(event)
            and TIME.fullmatch(time)
            and (reason is None or (isinstance(reason, str) and 0 < len(reason) <= MAX_REASON))
            and isinstance(corrections, list)
            and len(corrections) <= MOST_CORRECTIONS
            and all(DIGEST.fullmatch(digest) for digest in corrections)
            and corrections == sorted(set(corrections))
            and event not in corrections
            # What ties an event to the contracts moves goods there, and a declaration moves none.
            and not {"product", "custody", "receiver"} & core.keys()
        )
    except (KeyError, TypeError) as error:
        raise EvidenceError(f"what is declared is not complete: {error!r}", field=MEMBER, rule="header") from error
    if not sound:
        raise EvidenceError("what is declared is not well formed", field=MEMBER, rule="header")
    return Declaration(bytes.fromhex(event), time, reason, tuple(bytes.fromhex(digest) for digest in corrections))
