"""What the database does for a request: it finds its rows by a key, however many there are beside them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from shop import CASE, GTIN, PALLET, Shop, commissioning, document, pack, packing, shipping, unpacking
from sqlalchemy import Engine, event, update

from packtrace.gs1 import sscc_of_uri, sscc_uri, with_check_digit
from packtrace_gateway.events.models import CommissionedBatch

# Those that grow with every lot, pack, case, shipment or drawn serial number.
GROWING = (
    *("event", "item_tile", "item_group", "unit", "participation", "logistic_unit", "commissioned_batch", "seal"),
    *("outbox", "serial_drawn", "uri_prefix"),
)


@contextmanager
def noted() -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, each with its parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "INSERT", "DELETE")):
            sent.append((statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def contents(shop: Shop, unit: str) -> list[dict[str, str]]:
    answer = shop.client.get(f"/logistic-units/{sscc_of_uri(unit)}/contents", headers=shop.keys["warehouse"])
    found: list[dict[str, str]] = answer.json()
    return found


def test_no_request_reads_through_a_table_that_grows(new_shop: Shop) -> None:
    packs = [pack(number) for number in range(5)]
    made = document(commissioning(packs), packing(CASE, packs[:2]), packing(PALLET, [CASE]), unpacking(PALLET))
    with noted() as sent:
        new_shop.client.put(
            f"/serials/policies/{GTIN}", json={"length": 12, "alphabet": "0123456789"}, headers=new_shop.keys["admin"]
        )
        new_shop.client.post("/serials", json={"gtin": GTIN, "count": 10}, headers=new_shop.keys["line"])
        assert new_shop.send(made).status_code == 202
        assert new_shop.send(made).status_code == 202  # sent again
        with new_shop.gateway.database.write() as session:
            session.execute(update(CommissionedBatch).where(CommissionedBatch.number > 0).values(state="released"))  # type: ignore
        assert new_shop.send(document(shipping([CASE]))).status_code == 202
        one = {"gtin": GTIN, "serial": "SN00001"}
        assert new_shop.client.post("/verify", json=one, headers=new_shop.keys["dispenser"]).status_code == 200
        assert new_shop.client.get("/quarantine", headers=new_shop.keys["warehouse"]).status_code == 200
        assert len(contents(new_shop, CASE)) == 2
    assert len(dict(sent)) > 30
    with closing(sqlite3.connect(new_shop.gateway.database.file)) as connection:
        scanned = {
            statement: plan
            for statement, parameters in dict(sent).items()
            for *_, plan in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            if plan.startswith(tuple(f"SCAN {table}" for table in GROWING)) and plan.split()[1] in GROWING
        }
    assert scanned == {}


def test_the_contents_of_a_unit_take_as_many_statements_for_many_cases_as_for_few(new_shop: Shop) -> None:
    taken = []
    for first, cases, each in ((0, 2, 1), (10, 50, 100)):
        pallet, *boxes = (sscc_uri(with_check_digit(f"0950601{first + number:010}")) for number in range(cases + 1))
        filled = {
            box: [pack(1_000 * first + each * at + number) for number in range(each)] for at, box in enumerate(boxes)
        }
        events = [commissioning([uri for packs in filled.values() for uri in packs], lot=f"L{first}")]
        events += [packing(box, packs) for box, packs in filled.items()]
        assert new_shop.send(document(*events, packing(pallet, boxes))).status_code == 202
        with noted() as sent:
            found = contents(new_shop, pallet)
        taken.append(len([statement for statement, _ in sent if " unit " in statement or "logistic_unit" in statement]))
        assert [entry["uri"] for entry in found[:cases]] == boxes
        assert [(entry["inside"], entry["uri"]) for entry in found[cases:]] == [
            (box, uri) for box, packs in filled.items() for uri in packs
        ]
    assert taken[0] == taken[1] <= 7
