"""Reports of suspect packs: kept here with their photos, and told to the chain where it knows the pack."""

import hashlib
from typing import Any

import httpx
from one_gateway import GTIN, Lot, Plant

JPEG = b"\xff\xd8\xff\xe0" + bytes(200)


def report(plant: Plant, code: Any, request: str, status: int = 201) -> Any:
    body = {"pack": code, "text": "the seal is broken", "request": request.ljust(16, "x")}
    return plant.post("/reports", body, status)


def photo(plant: Plant, number: int, content: bytes, media_type: str = "image/jpeg") -> httpx.Response:
    headers = plant.key | {"Content-Type": media_type}
    return plant.client.post(f"/reports/{number}/photos", content=content, headers=headers)


def test_a_reported_pack_is_suspect_on_chain_and_nobody_dispenses_it(plant: Plant, lot: Lot) -> None:
    made = report(plant, lot.code(30), "r1")
    done = plant.settled({"id": made["operation"]})
    assert done["packs"][0]["outcome"] == "suspect"
    assert plant.verdict(lot, 30)["words"] == "reported suspect"
    assert plant.outcomes(lot, 30) == ["refused: reported suspect"]
    kept = plant.get(f"/reports/{made['number']}")
    assert (kept["text"], kept["verdict"], kept["unit"]) == ("the seal is broken", "authentic, available", made["unit"])


def test_a_report_that_is_sent_again_is_the_same(plant: Plant, lot: Lot) -> None:
    first = report(plant, lot.code(31), "r2")
    again = report(plant, lot.code(31), "r2")
    assert (again["number"], again["operation"]) == (first["number"], first["operation"])
    refused = report(plant, lot.code(32), "r2", 400)
    assert refused["field"] == "request"


def test_a_pack_that_the_chain_does_not_know_is_reported_too(plant: Plant) -> None:
    made = report(plant, {"gtin": GTIN, "serial": "NEVERMADE"}, "r3")
    assert (made["operation"], made["unit"]) == (None, None)
    assert made["number"] in [entry["number"] for entry in plant.get("/reports")]


def test_a_pack_that_is_not_active_any_more_opens_an_alert(plant: Plant, lot: Lot) -> None:
    assert plant.outcomes(lot, 33) == ["dispensed"]
    made = report(plant, lot.code(33), "r4")
    assert plant.settled({"id": made["operation"]})["packs"][0]["outcome"] == "refused: already supplied"
    assert plant.alert(made["unit"], asked="suspect")["found"] == "supplied"


def test_photos_are_kept_as_they_were_sent_each_once_and_not_without_end(plant: Plant, lot: Lot) -> None:
    number = report(plant, lot.code(34), "r5")["number"]
    first = photo(plant, number, JPEG)
    assert first.status_code == 201, first.text
    assert photo(plant, number, JPEG).json() == first.json(), "the same one again"
    for extra in range(4):
        assert photo(plant, number, JPEG + bytes([extra])).status_code == 201
    assert photo(plant, number, JPEG + b"more").status_code == 409
    assert photo(plant, number, b"<html>").status_code == 400
    assert photo(plant, number, JPEG, "text/html").status_code == 415
    assert photo(plant, number, JPEG + bytes(1 << 20)).status_code == 413
    assert photo(plant, 10_000, JPEG).status_code == 404
    kept = plant.get(f"/reports/{number}")["photos"]
    assert len(kept) == 5
    assert kept[0]["sha256"] == hashlib.sha256(JPEG).hexdigest()
    shown = plant.client.get(f"/reports/{number}/photos/{kept[0]['id']}", headers=plant.key)
    assert (shown.content, shown.headers["content-type"]) == (JPEG, "image/jpeg")
    assert "sandbox" in shown.headers["content-security-policy"]
    assert plant.client.get(f"/reports/{number + 1}/photos/{kept[0]['id']}", headers=plant.key).status_code == 404
    listed = {entry["number"]: entry["photoCount"] for entry in plant.get("/reports", limit=500)}
    assert listed[number] == 5
