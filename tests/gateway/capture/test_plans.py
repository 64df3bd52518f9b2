"""What the database does for a request: it finds its rows by a key, however many there are beside them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from shop import CASE, GTIN, PALLET, Shop, commissioning, document, pack, packing, shipping, unpacking
from sqlalchemy import Engine, event, update

from packtrace_gateway.events.models import CommissionedBatch

# Those that grow with every lot, pack, case, shipment or drawn serial number.
GROWING = (
    *("event", "item_tile", "item_group", "unit", "participation", "logistic_unit", "commissioned_batch", "seal"),
    *("outbox", "serial_drawn", "uri_prefix"),
)


@contextmanager
def noted() -> Iterator[dict[str, Any]]:
    """The statements that are sent meanwhile, each with its parameters."""
    sent: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "INSERT", "DELETE")):
            sent[statement] = parameters[0] if many else parameters

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


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
    assert len(sent) > 30
    with closing(sqlite3.connect(new_shop.gateway.database.file)) as connection:
        scanned = {
            statement: plan
            for statement, parameters in sent.items()
            for *_, plan in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            if plan.startswith(tuple(f"SCAN {table}" for table in GROWING)) and plan.split()[1] in GROWING
        }
    assert scanned == {}
