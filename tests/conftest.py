"""Fixtures for every test: where GS1's reference files are, and what to do where they are not."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No test fails for the machine's pace, or for a seed that draws many impossible cases.
settings.register_profile(
    "packtrace",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
settings.load_profile("packtrace")

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "tests" / "vectors"
EXCHANGE, PAGE = "tests/gateway/exchange/", "tests/e2e/page/"
IN_CI = os.environ.get("CI") == "true"


def standards_folder() -> Path:
    return Path(os.environ.get("PACKTRACE_STANDARDS", ROOT.parent / "shared" / "standards"))


@pytest.fixture(scope="session")
def standards() -> Path:
    """The folder with GS1's own files; tests that use it are marked `standards`."""
    folder = standards_folder()
    assert folder.is_dir(), f"GS1's reference files are missing: set PACKTRACE_STANDARDS (looked at {folder})"
    return folder


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Vectors shared by Python, Solidity and JavaScript."""
    return VECTORS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without GS1's files a user's run leaves the tests that need them out, and says so; with CI=true it fails."""
    if IN_CI or standards_folder().is_dir():
        return
    needing = [item for item in items if item.get_closest_marker("standards")]
    if needing:
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if not item.get_closest_marker("standards")]
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter:
            reporter.write_line(f"{len(needing)} tests left out: set PACKTRACE_STANDARDS to GS1's reference files")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests stay in one process. All of the exchange's make two groups, those of the phone page one: a network
    of gateways, which each process that has some of them starts for itself, costs a good part of a core even at rest.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByNetwork(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(PAGE):
                return PAGE
            if not nodeid.startswith(EXCHANGE):
                return str(super()._split_scope(nodeid))
            return EXCHANGE + ("a-l" if nodeid < f"{EXCHANGE}test_m" else "m-z")  # about the same time each

    return ByNetwork(config, log)
