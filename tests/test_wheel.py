"""A wheel, built as it is released: what a gateway that was installed from it has."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from packtrace_gateway.phone.files import READER, reader_folder

ROOT = Path(__file__).resolve().parents[1]
SERVED = """
from packtrace_gateway.phone.files import has_reader, page_files, reader_folder
import hashlib, packtrace_gateway
assert reader_folder() is None
print(packtrace_gateway.__file__)
print(has_reader())
for name, file in page_files().items():
    print(hashlib.sha256(file.content).hexdigest(), name)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content. It needs the build's own package from the registry: without that, a user's run goes on."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--wheel-dir"]
    run = subprocess.run([*command, str(folder), str(ROOT)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if run.returncode and "hatchling" in run.stderr and os.environ.get("CI") != "true":
        pytest.skip("the wheel was not built: hatchling could not be fetched")
    assert run.returncode == 0, run.stderr[-3000:]
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def served_from(site: Path, folder: Path) -> list[str]:
    """What the packages in `site` serve, nothing else of this checkout being there."""
    environment = {name: value for name, value in os.environ.items() if name != "PACKTRACE_HOME"}
    run = subprocess.run(
        [sys.executable, "-c", SERVED], cwd=folder, env=environment | {"PYTHONPATH": str(site)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    package, *served = run.stdout.splitlines()
    assert Path(package).is_relative_to(site)
    return served


def test_a_built_wheel_serves_the_page_with_its_barcode_reader(installed: Path, tmp_path: Path) -> None:
    has_reader, *served = served_from(installed, tmp_path)
    assert has_reader == "True"
    version = next(line.split(" ")[1] for line in served if line.endswith("/app/main.js")).split("/")[0]
    names = {line.split(" ", 1)[1].removeprefix(f"{version}/") for line in served}
    page = {path.relative_to(ROOT / "scanner" / "web").as_posix() for path in (ROOT / "scanner" / "web").rglob("*.js")}
    assert names >= {*READER, *page, "index.html", "text/de.json"}
    reader = reader_folder()
    assert reader is not None
    for name, source in READER.items():
        assert (installed / "packtrace_gateway/phone/web" / name).read_bytes() == (reader / source).read_bytes()
    licence = (installed / "packtrace_gateway/phone/web/zxing/LICENSE").read_text()
    assert "Permission is hereby granted" in licence, "MIT asks for its notice in every copy"


def test_without_the_reader_the_page_is_served_and_its_gateway_knows(installed: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed, site, ignore=shutil.ignore_patterns("zxing"))
    has_reader, *served = served_from(site, tmp_path)
    assert has_reader == "False"
    assert any(line.endswith(" index.html") for line in served)
