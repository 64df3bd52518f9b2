"""How often the database is asked: for each kind of thing, never for each pack."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from houses import House, pack_uri, unit_uri
from sqlalchemy import Engine, event

FEW, MANY = 5, 250


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_pedigree_takes_as_many_statements_for_many_packs_as_for_few(house: House) -> None:
    house.commission([pack_uri(number) for number in range(FEW + MANY)])
    small, large = unit_uri(1), unit_uri(2)
    house.pack(small, [pack_uri(number) for number in range(FEW)])
    house.pack(large, [pack_uri(number) for number in range(FEW, FEW + MANY)])
    for unit in (small, large):
        house.unpack(unit)
    taken = []
    for first, last in ((0, FEW), (FEW, FEW + MANY)):
        uris = [pack_uri(number) for number in range(first, last)]
        house.pedigree(*uris)  # prefixes are known from now on
        with counted() as sent:
            disclosures = house.pedigree(*uris).disclosures
        assert [len(shown.shown.uris) for shown in disclosures] == [last - first, last - first + 1, 1]
        taken.append(len(sent))
    assert taken[0] == taken[1]
