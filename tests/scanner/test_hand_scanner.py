"""Hand scanners: over a serial port and as a keyboard, and what the set-up finds."""

import json
import os
import pty
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packtrace.gs1 import GS, parse_digital_link
from packtrace_scanner.commands import app
from packtrace_scanner.decoders import Decoder
from packtrace_scanner.hand_scanner import MOST_CHARACTERS, codes, is_hand_scanner, open_hand_scanner
from packtrace_scanner.hand_setup import DATA, ELEMENTS, diagnose, for_terminal, picture
from packtrace_scanner.images import SourceError, read_image
from packtrace_scanner.reading import NotMedicine, ScannedLogisticUnit, ScannedPack, meaning_of, meaning_of_text
from packtrace_scanner.settings import SettingsError, load
from packtrace_scanner.work import COMMANDS, command_of

GTIN = "04012345123456"
PACK = f"]d201{GTIN}21ABC123{GS}1727113010L2026A"
LINK = f"https://example.org/01/{GTIN}/10/L2026A/21/ABC123?17=271130"


@pytest.fixture
def scanner() -> Iterator[tuple[str, Callable[[bytes], None], Callable[[], None]]]:
    """A serial line of the operating system: its device, what writes to it, what unplugs it."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    device = os.ttyname(theirs)
    os.close(theirs)
    open_ends = [ours]

    def unplug() -> None:
        while open_ends:
            os.close(open_ends.pop())

    yield device, lambda data: (os.write(ours, data), None)[1], unplug
    unplug()


def test_codes_come_over_a_serial_port_until_it_is_unplugged(scanner: object) -> None:
    device, send, unplug = scanner  # type: ignore[misc]
    source = open_hand_scanner(f"serial:{device}@115200")
    lines = iter(source.frames)
    threading.Timer(0.3, send, [PACK.encode() + b"\r\n" + b"second\r"]).start()
    assert [next(lines).text for _ in range(2)] == [PACK, "second"]  # type: ignore[union-attr]
    threading.Timer(0.1, send, [b"without an end"]).start()
    assert next(lines).text == "without an end"  # type: ignore[union-attr]
    threading.Timer(0.1, unplug).start()
    with pytest.raises(SourceError, match="plug it in again"):
        next(lines)


def test_a_code_that_comes_in_pieces_is_one_and_endless_noise_is_cut() -> None:
    pieces = iter([b"]d2", b"01", b"2\n3", b"4", b"", b"", b"x" * (MOST_CHARACTERS + 1), b"5\r"])
    found = codes(lambda: next(pieces))
    assert [next(found) for _ in range(2)] == ["]d2012", "34"]
    assert len(next(found)) == MOST_CHARACTERS + 1
    assert next(found) == "5"


@pytest.mark.parametrize(
    ("spec", "words"), [("serial:/dev/no-such-port", "cannot be opened"), ("serial:/dev/null@fast", "speed")]
)
def test_a_port_that_cannot_be_used_is_named(spec: str, words: str) -> None:
    assert is_hand_scanner(spec)
    with pytest.raises(SourceError, match=words) as caught:
        list(open_hand_scanner(spec).frames)
    assert caught.value.value == spec


def test_what_is_typed_is_read_every_time(tmp_path: Path) -> None:
    typed = "\n".join([PACK, PACK, LINK, f"(01){GTIN}(21)ABC123", "", "]d1" + PACK[3:], "hello"])
    result = CliRunner().invoke(app, ["scan", "keyboard"], input=typed)
    assert result.exit_code == 0, result.output
    assert result.output.count("serial ABC123") == 4
    assert "plain Data Matrix (]d1)" in result.output
    assert result.output.count("N O T   A   M E D I C I N E") == 2


def test_a_hand_scanner_that_reads_nothing_is_not_asked_for_more_light() -> None:
    result = CliRunner().invoke(app, ["scan", "keyboard"], input="hello\n")
    assert "no code of a pack or a logistic unit in what the keyboard" in result.stderr
    assert "light" not in result.stderr


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (PACK, {}),
        (PACK.replace(GS, "<GS>"), {}),
        (PACK.replace(GS, "|"), {"separator": "|"}),
        (PACK[3:].replace(GS, "|"), {"separator": "|", "without_identifier": "]d2"}),
        (LINK, {}),
        ("]Q1" + LINK, {}),
        (parse_digital_link(LINK).digital_link("https://example.com", compressed=True), {}),
        ("]d2" + LINK, {}),
        (f"(01){GTIN}(21)ABC123(17)271130(10)L2026A", {}),
        (f"  {PACK}\r", {}),
    ],
)
def test_all_ways_to_say_the_same_pack(text: str, settings: dict[str, str]) -> None:
    meaning = meaning_of_text(text, **settings)
    assert isinstance(meaning, ScannedPack)
    assert (meaning.scan.serial, meaning.scan.lot) == ("ABC123", "L2026A")
    assert meaning.readings[0].decoder == "hand scanner"


def test_what_had_to_be_put_right_is_said() -> None:
    pack = meaning_of_text(PACK.replace(GS, "<GS>"))
    assert isinstance(pack, ScannedPack)
    assert "'<GS>'" in (pack.remark or "")
    unit = meaning_of_text("]C100106141412345678908")
    assert isinstance(unit, ScannedLogisticUnit)
    assert unit.remark is None


@pytest.mark.parametrize(
    "text", ["]d1" + PACK[3:], PACK[3:], "4012345123456", "]E04012345123456", "https://example.org/", "", "]", "(01)1"]
)
def test_what_is_not_a_medicines_code_is_refused_in_words(text: str) -> None:
    meaning = meaning_of_text(text)
    assert isinstance(meaning, NotMedicine)
    assert len(meaning.reason) > 20


@pytest.mark.parametrize("line", ['separator = "%"', 'separator = ""', 'without_identifier = "]d1"', "separator = 1"])
def test_settings_that_would_misread_codes_are_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "scanner.toml"
    file.write_text(line)
    with pytest.raises(ValueError, match=r"separator|without_identifier"):
        load(file)
    assert issubclass(SettingsError, ValueError)


# ---- the set-up ----


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n", "\t", ""])
def test_a_scanner_that_is_set_up_well_needs_nothing(end: str) -> None:
    found = diagnose(f"]d2{DATA}{end}")
    assert found.usable
    assert found.settings == {}
    assert all(finding.good for finding in found.findings)


GERMAN = str.maketrans("yzYZ-/_:%?", "zyZYß-?ÖÄ_")


@pytest.mark.parametrize(
    ("sent", "words", "settings"),
    [
        (f"]d2{DATA}".replace(GS, "<GS>"), "'<GS>' between fields", {"separator": "<GS>"}),
        (f"]d2{DATA}".replace(GS, "|"), "'|' between fields", {"separator": "|"}),
        (f"]d2{DATA}".replace(GS, "^]"), "'^]' between fields", {"separator": "^]"}),
        (DATA, "what kind of code", {"without_identifier": "]d2"}),
        (DATA.replace(GS, "~"), "what kind of code", {"without_identifier": "]d2", "separator": "~"}),
        (f"]d2{DATA}".replace(GS, ""), "nothing between fields", None),
        (f"]d2{DATA}".replace(GS, "%"), "may hold these characters", None),
        (f"]d1{DATA}", "]d1", None),
        (f"]d2{DATA.swapcase()}", "Caps Lock", None),
        (f"]d2{DATA.upper()}", "case conversion", None),
        (f"]d2{DATA.translate(GERMAN)}", "German", None),
        (f"*]d2{DATA}", "prefix", None),
        (f"$${DATA}", "prefix", None),
        ("]d2" + DATA[:-5], "not the test code", None),
        ("]C1123", "not the test code", None),
        ("", "not the test code", None),
    ],
)
def test_what_a_scanner_does_is_found_and_told(sent: str, words: str, settings: dict[str, str] | None) -> None:
    found = diagnose(sent + "\r")
    assert words in " ".join(f"{finding.what} {finding.advice}" for finding in found.findings)
    assert found.usable == (settings is not None)
    assert found.settings == (settings or {})
    if found.usable:  # with these settings the test code is read as what it is
        meaning = meaning_of_text(sent, **found.settings)
        assert isinstance(meaning, ScannedPack)
        assert meaning.elements == ELEMENTS


def test_the_set_up_shows_a_code_that_cameras_read_too_and_says_what_to_write_where(tmp_path: Path) -> None:
    sent = f"{DATA}\n".replace(GS, "|")
    result = CliRunner().invoke(app, ["scan-setup", "keyboard", "--picture", str(tmp_path / "test.png")], input=sent)
    assert result.exit_code == 0, result.output
    assert 'separator = "|"\nwithout_identifier = "]d2"' in result.output or (
        'without_identifier = "]d2"\nseparator = "|"' in result.output
    )
    (reading,) = Decoder().read(read_image(tmp_path / "test.png"))
    assert reading.symbology + reading.text == f"]d2{DATA}"
    config = tmp_path / "scanner.toml"
    config.write_text("\n".join(line for line in result.output.splitlines() if " = " in line))
    again = CliRunner().invoke(app, ["scan", "keyboard", "--config", str(config), "--json"], input=sent)
    assert json.loads(again.stdout)["serial"] == ELEMENTS.serial
    hopeless = CliRunner().invoke(app, ["scan-setup", "keyboard"], input=DATA.upper() + "\n")
    assert (hopeless.exit_code, "run this again" in hopeless.output) == (3, True)


def test_the_picture_on_the_terminal_is_the_code() -> None:
    modules = picture()
    lines = [line.removeprefix("\033[30;107m").removesuffix("\033[0m") for line in for_terminal(modules).split("\n")]
    for row, line in zip(modules[::2], lines, strict=True):
        assert [character in "▀█" for character in line] == list(row)
    for row, line in zip(modules[1::2], lines, strict=False):
        assert [character in "▄█" for character in line] == list(row)


def test_the_page_of_command_codes_is_read_as_these_commands(tmp_path: Path) -> None:
    file = tmp_path / "codes.png"
    made = CliRunner().invoke(app, ["work-codes", str(file), "--to", "4012345000009", "--to", "9506000134352"])
    assert made.exit_code == 0, made.output
    readings = Decoder(lambda _: False).read(read_image(file))
    found = {command_of(meaning_of(reading)) for reading in readings}
    assert found == {*COMMANDS, "ship:4012345000009", "ship:9506000134352"} - {"ship"}
    wrong = CliRunner().invoke(app, ["work-codes", str(file), "--to", "4012345000008"])
    assert wrong.exit_code != 0
