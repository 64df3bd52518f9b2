"""The phone page's library, tested by Node's own test runner: the shared vectors, and what it refuses."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FEWEST_TESTS = 110  # so that tests that are not found do not pass


def test_javascript_tests_pass() -> None:
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    assert shutil.which("node", path=path), "run ./packtrace test: Node is in its environment"
    files = sorted(str(file) for file in Path(__file__).parent.glob("*.test.js"))
    run = subprocess.run(
        ["node", "--test", "--test-reporter=tap", *files],
        cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]
    passed = re.search(r"^# pass (\d+)$", run.stdout, re.M)
    assert passed, run.stdout[-2_000:]
    assert int(passed[1]) >= FEWEST_TESTS
