"""The estimate of print quality: good print is graded well, and each fault lowers its own parameter."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from packtrace_gateway.labels.drawing import to_png
from packtrace_gateway.labels.pack import PackLabel, pack_drawing
from packtrace_scanner.commands import NOT_AUTHENTIC, NOTHING_READ, app
from packtrace_scanner.decoders import Decoder
from packtrace_scanner.images import decode_image
from packtrace_scanner.print_quality import LETTERS, Quality, estimate
from packtrace_scanner.symbols import Reading

Gray = np.ndarray


@pytest.fixture(scope="module")
def label() -> Gray:
    """A pack's label as a line's camera sees it: a module about 7 pixels wide."""
    picture = decode_image(
        to_png(pack_drawing(PackLabel("04012345123456", "7K4M2Q9TXW3B", "L2026A", "271130"))), "label"
    )
    scale = 900 / picture.shape[1]
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def measured(picture: Gray) -> Quality:
    readings = [reading for reading in Decoder().read(picture) if reading.is_matrix]
    assert readings, "it is not read at all"
    quality = estimate(picture, readings[0])
    assert quality is not None
    return quality


def code(picture: Gray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the code."""
    (reading,) = [reading for reading in Decoder().read(picture) if reading.is_matrix]
    xs, ys = zip(*reading.corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def test_good_print_is_graded_best(label: Gray) -> None:
    quality = measured(label)
    assert (quality.grade, quality.letter) == (4, "A"), quality
    assert quality.contrast > 0.9
    assert quality.unused == 1
    assert quality.module > 4


@pytest.mark.parametrize("degrees", [0, 7, 90, 133])
def test_however_it_lies(label: Gray, degrees: float) -> None:
    height, width = label.shape
    around = cv2.copyMakeBorder(label, 300, 300, 300, 300, cv2.BORDER_CONSTANT, value=255)
    turn = cv2.getRotationMatrix2D((width / 2 + 300, height / 2 + 300), degrees, 1)
    turned = cv2.warpAffine(around, turn, around.shape[::-1], flags=cv2.INTER_CUBIC, borderValue=255)
    assert measured(turned).grade >= 3


@pytest.mark.parametrize(("paper", "ink", "letter"), [(255, 60, "A"), (230, 80, "B"), (200, 80, "C"), (190, 120, "D")])
def test_faded_print_loses_contrast(label: Gray, paper: int, ink: int, letter: str) -> None:
    faded = (ink + label.astype(np.float64) * (paper - ink) / 255).astype(np.uint8)
    quality = measured(faded)
    assert LETTERS[quality.grades["contrast"]] == letter
    assert quality.letter == letter
    assert quality.worst == (["contrast"] if letter != "A" else quality.worst)


def test_blurred_print_loses_modulation(label: Gray) -> None:
    seen = [
        measured(cv2.GaussianBlur(label, (0, 0), blur)).modulation if blur else measured(label).modulation
        for blur in (0, 2, 3)
    ]
    assert seen[0] > seen[1] > seen[2]
    assert measured(cv2.GaussianBlur(label, (0, 0), 3)).grade < 4


def test_missing_dots_use_error_correction_up(label: Gray) -> None:
    left, top, right, _ = code(label)
    wide = (right - left) // 6
    damaged = label.copy()
    cv2.rectangle(damaged, (left + 2 * wide, top + 2 * wide), (left + 3 * wide, top + 3 * wide), 255, -1)
    quality = measured(damaged)
    assert quality.unused < 1
    assert quality.grades["unused error correction"] < 4
    assert quality.grades["contrast"] == 4


def test_a_scratch_through_the_finder_is_seen(label: Gray) -> None:
    left, top, _, bottom = code(label)
    scratched = label.copy()
    middle = (top + bottom) // 2
    cv2.line(scratched, (left - 4, middle - 30), (left + 4, middle + 30), 255, 9)
    assert measured(scratched).fixed < measured(label).fixed


def test_print_that_touches_the_code_spoils_the_quiet_zone(label: Gray) -> None:
    left, top, right, bottom = code(label)
    crowded = label.copy()
    module = max(4, (right - left) // 26)
    cv2.rectangle(crowded, (right + module // 3, top), (right + 3 * module, bottom), 0, -1)
    readings = [reading for reading in Decoder().read(crowded) if reading.is_matrix]
    quality = estimate(crowded, readings[0]) if readings else None
    assert quality is None or quality.quiet < 0.9


def test_what_is_no_data_matrix_has_no_estimate(label: Gray) -> None:
    corners = ((0, 0), (50, 0), (50, 50), (0, 50))
    assert estimate(label, Reading("]C1", "00106141412345678908", corners, "zxing-cpp")) is None
    assert estimate(label, Reading("]d2", "nothing is there", corners, "zxing-cpp")) is None


def test_the_line_rejects_what_is_below_its_limit(label: Gray, tmp_path: Path) -> None:
    good, faded = tmp_path / "1.png", tmp_path / "2.png"
    cv2.imwrite(str(good), label)
    cv2.imwrite(str(faded), (120 + label.astype(np.float64) * 70 / 255).astype(np.uint8))
    result = CliRunner().invoke(app, ["print-quality", str(tmp_path), "--limit", "C", "--json"])
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["grade"], first["rejected"], first["serial"]) == ("A", False, "7K4M2Q9TXW3B")
    assert (second["grade"], second["rejected"], second["worst"]) == ("D", True, ["contrast"])
    assert result.exit_code == NOT_AUTHENTIC
    assert CliRunner().invoke(app, ["print-quality", str(good)]).exit_code == 0
    words = CliRunner().invoke(app, ["print-quality", str(faded)]).stdout
    assert "REJECT" in words
    assert "an estimate" in words
    assert CliRunner().invoke(app, ["print-quality", str(good), "--limit", "X"]).exit_code == 2


def test_where_no_code_can_be_estimated_it_is_said(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((200, 200), 255, np.uint8))
    nothing = CliRunner().invoke(app, ["print-quality", str(tmp_path / "empty.png")])
    assert nothing.exit_code == NOTHING_READ
    assert "no Data Matrix in" in nothing.stderr
    refused = CliRunner().invoke(app, ["print-quality", "keyboard"])
    assert "a hand scanner shows no print; give a camera" in str(refused.exception)


def test_a_camera_is_left_with_ctrl_c_and_the_status_says_what_it_saw(label: Gray) -> None:
    picture = bytes(cv2.imencode(".png", label)[1])
    # As from a terminal: what a shell starts in the background ignores Ctrl-C, and so does all that it starts.
    begun = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = [sys.executable, "-c", f"{begun}; from packtrace.cli import main; main()", "print-quality", "-", "--json"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(3):
            process.stdin.write(picture)
            process.stdin.flush()
        assert json.loads(process.stdout.readline())["grade"] == "A"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
