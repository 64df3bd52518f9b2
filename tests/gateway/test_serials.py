"""Serial numbers: drawn in blocks, never twice, within a second."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from sqlmodel import Session, func, select, text

from packtrace.errors import IdentifierError
from packtrace.gs1 import SerialPolicy
from packtrace_gateway.db import Database
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.serials.models import DrawnSerial
from packtrace_gateway.serials.service import MAX_BLOCK, SerialService, fingerprint

KeyOf = Callable[..., dict[str, str]]
GTIN = "04012345000009"
OTHER = "04012345000016"
POLICY = {"length": 12, "alphabet": "34679CFGHJKMNPRTVWXY"}
SHORT = (4, "0123456789ABCDEFGHJKMNPQRSTVWXYZ")  # 32^4: 104 serial numbers before they can be guessed


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def serials(database: Database) -> SerialService:
    service = SerialService(database)
    for gtin in (GTIN, OTHER):
        service.set_policy(gtin, 12, POLICY["alphabet"])  # type: ignore[arg-type]
    return service


def test_a_block_follows_the_policy_and_is_on_record(serials: SerialService) -> None:
    block, drawn = serials.draw("4012345000009", 500, "key1")
    assert len(drawn) == len(set(drawn)) == 500
    assert all(len(serial) == 12 and set(serial) <= set(str(POLICY["alphabet"])) for serial in drawn)
    assert (block.gtin, block.count, block.drawn_by) == (GTIN, 500, "key1")
    assert serials.blocks(10) == [block]


def test_no_serial_is_drawn_twice_for_a_gtin(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # A generator that repeats itself: what was drawn must be found out, and drawn anew.
    serials = SerialService(database)
    serials.set_policy(GTIN, 12, "0123456789")
    numbers = iter([*range(5), *range(3, 8), *range(100)])

    def repeating(count: int, _policy: SerialPolicy) -> list[str]:
        return [f"{next(numbers):012}" for _ in range(count)]

    monkeypatch.setattr("packtrace.gs1.serials._random_strings", repeating)
    first = serials.draw(GTIN, 5, "k")[1]
    second = serials.draw(GTIN, 5, "k")[1]
    assert [int(serial) for serial in first] == [0, 1, 2, 3, 4]
    assert not set(first) & set(second)
    assert len(set(second)) == 5


def test_gtins_do_not_share_what_was_drawn(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    serials = SerialService(database)
    for gtin in (GTIN, OTHER):
        serials.set_policy(gtin, 12, "0123456789")
    monkeypatch.setattr(
        "packtrace.gs1.serials._random_strings", lambda count, _policy: [f"{number:012}" for number in range(count)]
    )
    assert serials.draw(GTIN, 5, "k")[1] == serials.draw(OTHER, 5, "k")[1]


def test_what_was_commissioned_by_other_ways_is_not_drawn(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def commissioned(_session: Session, gtin: str, candidates: Sequence[str]) -> set[str]:
        asked.append((gtin, len(candidates)))
        return {serial for serial in candidates if serial.endswith("3")}

    serials = SerialService(database, commissioned)
    serials.set_policy(GTIN, 12, "0123456789")
    drawn = serials.draw(GTIN, 1000, "k")[1]
    assert not [serial for serial in drawn if serial.endswith("3")]
    assert asked[0] == (GTIN, 1000)


def test_lines_that_draw_at_once_get_different_numbers(serials: SerialService) -> None:
    blocks: list[list[str]] = []

    def line() -> None:
        for _ in range(5):
            blocks.append(serials.draw(GTIN, 200, "k")[1])

    lines = [threading.Thread(target=line) for _ in range(4)]
    for thread in lines:
        thread.start()
    for thread in lines:
        thread.join()
    assert max(Counter(serial for block in blocks for serial in block).values()) == 1
    assert len(blocks) == 20


def test_drawing_stops_before_a_guess_becomes_likely(database: Database) -> None:
    serials = SerialService(database)
    serials.set_policy(GTIN, *SHORT)
    most = SerialPolicy(*SHORT).most
    serials.draw(GTIN, most - 1, "k")
    serials.draw(GTIN, 1, "k")
    with pytest.raises(IdentifierError, match="guessed too easily; make them longer"):
        serials.draw(GTIN, 1, "k")
    serials.set_policy(GTIN, 5, SHORT[1])
    serials.draw(GTIN, 1, "k")


def test_a_refused_draw_leaves_nothing(database: Database) -> None:
    serials = SerialService(database)
    serials.set_policy(GTIN, *SHORT)
    with pytest.raises(IdentifierError):
        serials.draw(GTIN, 1000, "k")
    with database.read() as session:
        assert session.exec(select(func.count()).select_from(DrawnSerial)).one() == 0
    assert serials.blocks(10) == []


def test_100_000_are_drawn_in_about_a_second_and_kept_in_little_space(
    serials: SerialService, database: Database
) -> None:
    serials.draw(GTIN, MAX_BLOCK, "k")
    size = stored_bytes(database)
    started = time.monotonic()
    drawn = serials.draw(GTIN, MAX_BLOCK, "k")[1]
    seconds = time.monotonic() - started
    assert len(set(drawn)) == MAX_BLOCK
    assert seconds < 10, "about 0.7 s on an idle machine"
    assert (stored_bytes(database) - size) / MAX_BLOCK < 30  # bytes a serial number


def stored_bytes(database: Database) -> int:
    with database.read() as session:
        return int(
            session.execute(text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")).scalar_one()
        )


DRAW = """
import sys
from packtrace_gateway.db import Database
from packtrace_gateway.serials.service import SerialService
service = SerialService(Database(sys.argv[1]))
while True:
    block, drawn = service.draw(sys.argv[2], 50, "k")
    print(" ".join(drawn), flush=True)
"""


def test_a_kill_while_drawing_gives_no_number_out_twice(serials: SerialService, database: Database) -> None:
    given: list[str] = []
    for _ in range(2):
        command = [sys.executable, "-c", DRAW, f"sqlite:///{database.file}", GTIN]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        for _block in range(3):
            given += process.stdout.readline().split()
        process.kill()
        process.wait()
        process.stdout.close()
    with database.read() as session:
        known = set(session.exec(select(DrawnSerial.fingerprint)))
    assert len(given) == len(set(given)) == 300
    assert set(map(fingerprint, given)) <= known


@pytest.mark.parametrize(
    ("gtin", "count", "field"),
    [
        ("4012345000008", 1, "gtin"),
        ("abc", 1, "gtin"),
        ("", 1, "gtin"),
        (GTIN, 0, "count"),
        (GTIN, MAX_BLOCK + 1, "count"),
    ],
)
def test_a_bad_draw_names_the_field(serials: SerialService, gtin: str, count: int, field: str) -> None:
    with pytest.raises(IdentifierError) as refused:
        serials.draw(gtin, count, "k")
    assert refused.value.field == field


def test_a_gtin_without_a_policy_says_who_sets_it(database: Database) -> None:
    with pytest.raises(NotFoundError, match="an admin sets it with PUT /serials/policies"):
        SerialService(database).draw(GTIN, 1, "k")


@pytest.mark.parametrize(
    ("length", "alphabet", "field"),
    [
        (0, "ABC", "length"),
        (21, "ABC", "length"),
        (3, "0123456789", "length"),
        (12, "A", "alphabet"),
        (12, "AAB", "alphabet"),
        (12, "A-B", "alphabet"),
    ],
)
def test_a_bad_policy_names_the_field(serials: SerialService, length: int, alphabet: str, field: str) -> None:
    with pytest.raises(IdentifierError) as refused:
        serials.set_policy(GTIN, length, alphabet)
    assert refused.value.field == field
    assert refused.value.rule


def test_over_http_admins_set_policies_and_lines_draw(client: httpx.Client, key: KeyOf) -> None:
    admin, line = key("admin"), key("line")
    put = client.put("/serials/policies/4012345000009", headers=admin, json=POLICY)
    assert (put.status_code, put.json()["gtin"]) == (200, GTIN)
    assert client.put(f"/serials/policies/{GTIN}", headers=line, json=POLICY).status_code == 403

    drawn = client.post("/serials", headers=line, json={"gtin": "4012345000009", "count": 3})
    assert drawn.status_code == 201
    assert drawn.json().keys() == {"id", "gtin", "count", "drawn_at", "drawn_by", "serials"}
    assert len(drawn.json()["serials"]) == 3
    assert drawn.json()["drawn_by"] == line["Authorization"].split("_")[1]

    second = client.post("/serials", headers=line, json={"gtin": GTIN, "count": 2}).json()
    listed = client.get("/serials/blocks", headers=key("auditor")).json()
    assert [(block["id"], block["count"]) for block in listed] == [(second["id"], 2), (drawn.json()["id"], 3)]
    assert "serials" not in listed[0]
    page = client.get("/serials/blocks", headers=line, params={"before": second["id"], "limit": 1}).json()
    assert [block["id"] for block in page] == [drawn.json()["id"]]
    assert [policy["gtin"] for policy in client.get("/serials/policies", headers=line).json()] == [GTIN]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"gtin": GTIN, "count": 0}, "count"),
        ({"gtin": GTIN, "count": MAX_BLOCK + 1}, "count"),
        ({"gtin": GTIN, "count": "x"}, "count"),
        ({"gtin": "4012345000008", "count": 1}, "gtin"),
        ({"gtin": "9" * 500, "count": 1}, "gtin"),
        ({"count": 1}, "gtin"),
        ({"gtin": GTIN, "count": 1, "lot": "A"}, "lot"),
    ],
)
def test_over_http_a_bad_draw_is_a_problem_with_the_field(
    client: httpx.Client, key: KeyOf, body: dict[str, object], field: str
) -> None:
    answer = client.post("/serials", headers=key("line"), json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
