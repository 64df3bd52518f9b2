"""URIs as the tables hold them: a prefix, kept once, and a suffix."""

import threading
from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, select
from sqlmodel import Session

from packtrace_gateway.events import bulk
from packtrace_gateway.events.models import UriPrefix

Key = tuple[int, str]
_MOST_CACHED = 100_000
# Under this name a session keeps the prefixes that it has stored itself: they may yet be rolled back.
_OWN = "uri prefixes stored in this transaction"
_PREFIX = bulk.table_of(UriPrefix).c
_NUMBER = select(_PREFIX.id).where(_PREFIX.text == bindparam("text"))
_TEXT = select(_PREFIX.text).where(_PREFIX.id == bindparam("number"))


def split(uri: str) -> tuple[str, str]:
    """The URI up to and with its last slash, and the rest."""
    prefix, slash, suffix = uri.rpartition("/")
    return prefix + slash, suffix


class Prefixes:
    """The numbers of prefixes, remembered: a gateway sees few (one for each GTIN).

    Only what is committed is remembered: a refused capture takes its prefixes back, and their numbers are given to
    others.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._lock = threading.Lock()

    def known(self, session: Session, texts: Iterable[str]) -> dict[str, int]:
        """Numbers of those prefixes that are stored."""
        found: dict[str, int] = {}
        for text in set(texts):
            number = self._ids.get(text)
            if number is None:
                rows = bulk.rows(session, _NUMBER, text=text)
                if not rows:
                    continue
                ((number,),) = rows
                self._remember(session, number, text)
            found[text] = number
        return found

    def stored(self, session: Session, texts: Iterable[str]) -> dict[str, int]:
        """Numbers of prefixes; new ones are stored."""
        wanted = set(texts)
        found = self.known(session, wanted)
        for text in sorted(wanted - found.keys()):
            row = UriPrefix(text=text)
            session.add(row)
            session.flush()
            session.info.setdefault(_OWN, set()).add(text)
            assert row.id is not None
            found[text] = row.id
        return found

    def text(self, session: Session, number: int) -> str:
        """A prefix by its number."""
        text = self._texts.get(number)
        if text is None:
            ((text,),) = bulk.rows(session, _TEXT, number=number)
            self._remember(session, number, text)
        return text

    def uris(self, session: Session, keys: Iterable[Key]) -> list[str]:
        return [self.text(session, prefix) + suffix for prefix, suffix in keys]

    def keys(self, session: Session, uris: Iterable[str]) -> Mapping[str, Key]:
        """Keys of those URIs whose prefix is stored."""
        parts = {uri: split(uri) for uri in uris}
        numbers = self.known(session, (prefix for prefix, _ in parts.values()))
        return {uri: (numbers[prefix], suffix) for uri, (prefix, suffix) in parts.items() if prefix in numbers}

    def _remember(self, session: Session, number: int, text: str) -> None:
        if text in session.info.get(_OWN, ()):
            return
        with self._lock:
            if len(self._ids) >= _MOST_CACHED:
                self._ids.clear()
                self._texts.clear()
            self._ids[text] = number
            self._texts[number] = text
