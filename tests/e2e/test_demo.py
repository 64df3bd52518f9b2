"""The main job, end to end: real processes, a real devnet, real pictures. The demo's own story is the scenario."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
TIMEOUT = 600
# What the story must tell, in this order.
EXPECTED = [
    r"A network of five companies",
    r"1000 serial numbers drawn at random and commissioned",
    r"proposed by the line, not released",
    r"released by the qualified person's own key",
    r"Medicines Authority holds the product's secret",
    r"Aurora Pharma → Meridian Wholesale: SSCC \d{18}, pedigree verified",
    r"Meridian Wholesale → Market Pharmacy: SSCC \d{18}, pedigree verified",
    r"✔ AUTHENTIC, AVAILABLE",
    r"commissioning +Aurora Pharma",
    r"receiving +party 4",
    r"dispense submitted: pending",
    r"block made: dispensed, case [0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}",
    r"dispensed, then taken back unopened: available again",
    r"Market Pharmacy → Meridian Wholesale",
    r"Meridian Wholesale → Harbour Pharmacy",
    r"✔ AUTHENTIC, AVAILABLE",
    r"is offered again at Harbour Pharmacy",
    r"✘ ALREADY SUPPLIED",
    r"dispensed all the same: refused: already supplied",
    r"alert 1 at Harbour Pharmacy \(as caller\)",
    r"alert 1 at Aurora Pharma \(as holder\)",
    r"alert 1 at Medicines Authority \(as regulator\)",
    r"comments on alert 1 and closes it",
    r"in the same block",
    r"both in block \d+: the chain is the referee",
    r"A serial number that was never made",
    r"✘ UNKNOWN SERIAL",
    r"not submitted",
    r"another expiry printed",
    r"✘ NOT THIS PRODUCT'S DATA",
    r"not submitted",
    r"A row is changed",
    r"✘ EVIDENCE BROKEN",
    r"✔ AUTHENTIC, AVAILABLE",
    r"never came here",
    r"✘ CUSTODY GAP",
    r"A lot that is not released",
    r"shipped to Meridian Wholesale: refused",
    r"✘ NOT RELEASED",
    r"refused: the batch is not released",
    r"loses its licence",
    r"refused, NotLicensed",
    r"with its licence back: dispensed",
    r"kill -9",
    r"the event is (anchored|final), its batch proposed, each exactly once",
    r"recalls lot",
    r"✘ RECALLED",
    r"refused: the lot is recalled",
    r"The end of the day",
]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("demo") / "run"
    done = subprocess.run(
        [sys.executable, "-m", "packtrace.cli", "demo", "--units", "1000", "--folder", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout, folder


def test_the_story_is_told_to_its_end_in_order(story: tuple[str, Path]) -> None:
    text, _ = story
    at = 0
    for pattern in EXPECTED:
        found = re.compile(pattern).search(text, at)
        assert found, f"after {text[max(0, at - 300) : at]!r} this is missing: {pattern}\n{text}"
        at = found.end()


def test_both_pharmacies_in_one_block_have_one_winner(story: tuple[str, Path]) -> None:
    text, _ = story
    act = text[text.index("Both pharmacies dispense one code") : text.index("both in block")]
    outcomes = re.findall(r"(?:Market|Harbour) Pharmacy: (\w+)", act)
    assert sorted(outcomes) == ["dispensed", "refused"]


def test_the_labels_are_there(story: tuple[str, Path]) -> None:
    _, folder = story
    assert (folder / "labels" / "packs-1.png").stat().st_size > 10_000
    assert (folder / "labels" / "logistic-1.png").stat().st_size > 10_000


def test_nothing_is_left_running(story: tuple[str, Path]) -> None:
    _, folder = story
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert str(folder) not in running
