"""The verdict on a terminal: told apart by words, by colour and by shape; safe whatever the texts in it are."""

import io
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from rich.console import Console

from packtrace.scan import Scan
from packtrace.timeline import HistoryEntry
from packtrace.verdict import Check, Headline, Verdict
from packtrace_scanner import terminal
from packtrace_scanner.terminal import ADVICE, plain, show_reading, show_refusal, show_verdict

SCAN = Scan("04012345123456", "7K4M2Q9TXW3B", "L2026A", date(2027, 11, 30))
PASSED = Check("proofs", True, "7 events prove themselves", Headline.EVIDENCE_BROKEN)
FAILED = Check("status", False, "the pack is already supplied since Monday", Headline.NOT_ACTIVE)
NOT_MADE = Check("chain", None, "no node could be asked", Headline.NOT_VERIFIED)


def event(step: str, *, name: str = "Manufacturer AG", party: int = 3, carrier: str = "") -> HistoryEntry:
    return HistoryEntry(
        time="2026-11-23T05:35:15.000Z",
        step=step,
        disposition="active",
        party=party,
        party_name=name,
        receiver=4 if step == "shipping" else None,
        receiver_name="Wholesaler SE" if step == "shipping" else "",
        read_point=None,
        carrier=carrier,
        proof="anchored",
        digest="ab" * 32,
    )


def verdict(headline: Headline, **given: object) -> Verdict:
    values: dict[str, object] = {
        "scan": SCAN,
        "headline": headline,
        "status": "active",
        "case": None,
        "checks": (PASSED, FAILED, NOT_MADE),
        "history": (event("commissioning"), event("shipping", carrier="https://id.gs1.org/00/340123450000000017")),
        "block": 1234,
        "block_hash": "cd" * 32,
        "age": 7,
    }
    return Verdict(**(values | given))  # type: ignore[arg-type]


def shown(what: Verdict, **options: object) -> str:
    console = Console(record=True, width=110, file=io.StringIO(), **options)  # type: ignore[arg-type]
    show_verdict(console, what)
    return console.export_text(styles=bool(options))


@pytest.mark.parametrize("headline", Headline)
def test_every_verdict_names_itself_large_and_says_what_to_do(headline: Headline) -> None:
    text = shown(verdict(headline))
    words = verdict(headline).words
    assert " ".join(words.upper()) in text.replace("\n", " ")
    assert ADVICE[headline][:40] in text


def test_only_the_good_verdict_says_that_the_pack_may_be_dispensed() -> None:
    for headline in Headline:
        text = shown(verdict(headline))
        assert ("may be dispensed" in text) == (headline is Headline.AUTHENTIC)
        assert ("Do not dispense" in text) == (headline is not Headline.AUTHENTIC)


def test_good_bad_and_doubtful_differ_in_shape_and_in_colour() -> None:
    signs = [terminal._SIGNS.get(headline, terminal._CROSS) for headline in Headline]
    kinds = {(sign.colour, sign.picture, sign.frame) for sign in signs}
    assert len({picture for _, picture, _ in kinds}) == len(kinds)
    assert terminal._SIGNS[Headline.AUTHENTIC].colour == "green"
    for headline in Headline:
        if headline not in (Headline.AUTHENTIC, Headline.CUSTODY_GAP, Headline.NOT_VERIFIED):
            assert terminal._SIGNS.get(headline, terminal._CROSS).colour == "red"
    frames = {sign.colour: sign.frame for sign in signs}
    assert len({id(frame) for frame in frames.values()}) == len(frames) == 3


def test_colour_is_in_the_output_where_the_terminal_has_it() -> None:
    assert "\x1b[" in shown(verdict(Headline.RECALLED), force_terminal=True, color_system="standard")


def test_status_other_than_active_is_the_headline() -> None:
    text = shown(verdict(Headline.NOT_ACTIVE, status="reported stolen", case="AB12-CD34-EF56"))
    assert " ".join("REPORTED STOLEN") in text
    assert "AB12-CD34-EF56" in text


def test_each_check_is_shown_as_passed_failed_or_not_made() -> None:
    lines = shown(verdict(Headline.NOT_ACTIVE)).splitlines()
    for word, check in (("passed", PASSED), ("FAILED", FAILED), ("not made", NOT_MADE)):
        (line,) = (line for line in lines if check.detail in line and word in line)
        assert check.name in line


def test_history_is_a_timeline_of_who_did_what() -> None:
    text = shown(verdict(Headline.AUTHENTIC))
    assert "2026-11-23 05:35 UTC commissioning by Manufacturer AG" in text
    assert "shipping by Manufacturer AG to Wholesaler SE" in text
    assert "active  ·  in SSCC 340123450000000017  ·  anchored" in text


def test_party_without_public_name_is_shown_by_number() -> None:
    assert "receiving by party 7" in shown(verdict(Headline.AUTHENTIC, history=(event("receiving", name="", party=7),)))


def test_evidence_names_the_block_and_its_age() -> None:
    assert "block 1234, 7 s old" in shown(verdict(Headline.AUTHENTIC))
    assert "block 1234, 3 hours old" in shown(verdict(Headline.AUTHENTIC, age=3 * 3600 + 5))
    assert "no node was asked" in shown(verdict(Headline.NOT_VERIFIED, block=None, block_hash=None, age=None))


def test_texts_from_outside_cannot_drive_the_terminal_or_the_markup() -> None:
    evil = "[bold]Good[/bold]\x1b[2J\x07\u202eAG\n" + "x" * 5000
    text = shown(verdict(Headline.AUTHENTIC, history=(event("commissioning", name=evil),)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[bold]Good[/bold]" in text
    assert len(plain(evil)) <= terminal.MAX_TEXT


def test_endless_history_is_cut_and_counted() -> None:
    text = shown(verdict(Headline.AUTHENTIC, history=(event("receiving"),) * (terminal.MAX_HISTORY + 5)))
    assert "and 5 more" in text


def test_terminal_without_unicode_still_shows_everything() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii", errors="replace", write_through=True) as file:
        show_verdict(Console(width=80, file=file), verdict(Headline.EXPIRED))
        text = raw.getvalue().decode("ascii")
    assert "E X P I R E D" in text
    assert "##      ##" in text
    assert "FAILED" in text


def test_what_was_only_read_looks_like_no_verdict() -> None:
    console = Console(record=True, width=100, file=io.StringIO())
    show_reading(console, "read, not verified", ["GTIN 04012345123456"])
    show_refusal(console, "not a medicine code", ["this is a plain Data Matrix"])
    text = console.export_text()
    assert "R E A D ,   N O T   V E R I F I E D" in text
    assert "this is a plain Data Matrix" in text
    assert "may be dispensed" not in text


def test_an_event_that_was_declared_erroneous_says_so_and_what_is_right() -> None:
    said: dict[str, Any] = {
        "time": "2026-11-24T08:00:00.000Z",
        "reason": "incorrect_data",
        "digest": "cd" * 32,
        "corrections": [
            {"digest": "ef" * 32, "time": "2026-11-24T07:30:00.000Z", "step": "inspecting\x1b[2J", "disposition": None},
            {"digest": "ee" * 32},
        ],
    }
    wrong = replace(event("inspecting"), declared=said)
    text = shown(verdict(Headline.AUTHENTIC, history=(event("commissioning"), wrong)))
    assert "declared erroneous on 2026-11-24 08:00 UTC: incorrect data" in text
    assert "in its place: inspecting·[2J of 2026-11-24 07:30 UTC" in text
    without = replace(event("inspecting"), declared=said | {"reason": None, "corrections": []})
    text = shown(verdict(Headline.AUTHENTIC, history=(without,)))
    assert "declared erroneous on 2026-11-24 08:00 UTC: no reason given" in text
    assert "in its place" not in text
