"""The benchmarks' command on small sizes: that it works and what it writes, never how fast anything is."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["capture", "verdict", "hand_over", "anchoring", "throughput", "gas", "library", "decoding"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def written(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("*.json")
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_all_benchmarks_run_and_write_sane_figures(tmp_path: Path) -> None:
    results, databases = tmp_path / "results", tmp_path / "databases"
    databases.mkdir()
    done = run("--quick", "--results", str(results), "--folder", str(databases))
    assert done.returncode == 0, done.stdout + done.stderr
    found = written(results)
    assert list(found["sections"]) == NAMES
    assert found["machine"]["cores"].isdigit()
    for name, section in found["sections"].items():
        assert section["figures"], name
        for figure in section["figures"]:
            assert figure["name"]
            assert math.isfinite(figure["value"]), figure
            # Of wrong readings there are none; of two hard pictures of a kind perhaps none is read.
            assert figure["value"] > 0 or figure["unit"] in ("readings", "%"), figure
    page = next(results.glob("*.md")).read_text()
    for section in found["sections"].values():
        assert f"## {section['title']}" in page
        for figure in section["figures"]:
            assert f"| {figure['name']} |" in page
    assert list(databases.iterdir()) == []


def test_a_later_run_of_one_benchmark_keeps_the_others(tmp_path: Path) -> None:
    for name in ("gas", "library"):
        assert run("--quick", "--only", name, "--results", str(tmp_path)).returncode == 0
    assert list(written(tmp_path)["sections"]) == ["gas", "library"]


def test_unknown_benchmark_is_refused_by_name(tmp_path: Path) -> None:
    done = run("--quick", "--only", "speed", "--results", str(tmp_path))
    assert done.returncode == 2
    assert "there is no benchmark speed" in done.stderr
    nowhere = run("--quick", "--only", "gas", "--folder", str(tmp_path / "none"))
    assert (nowhere.returncode, "does not exist" in nowhere.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_short_soak_loses_nothing(tmp_path: Path) -> None:
    """The soak's own end fails where something was lost; here it runs a few seconds."""
    done = run("--only", "soak", "--quick", "--results", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {figure["name"]: figure["value"] for figure in written(tmp_path)["sections"]["soak"]["figures"]}
    assert figures["captures acknowledged"] > 0
    assert figures["acknowledged events that are not final"] == 0
    assert figures["events anchored twice"] == 0
