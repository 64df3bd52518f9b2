"""The scanner's configuration: what it reads, and what it refuses by name."""

from pathlib import Path

import pytest

from packtrace_scanner.settings import Settings, SettingsError, load

FULL = """
gateway = "http://127.0.0.1:8000"
api_key_file = "key.txt"
node = "http://127.0.0.1:8545"
deployment = "/etc/packtrace/deployment.json"
place = 12
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "scanner.toml"


def test_file_gives_all_settings_with_paths_beside_it(config: Path) -> None:
    config.write_text(FULL)
    settings = load(config)
    assert settings == Settings(
        gateway="http://127.0.0.1:8000",
        api_key_file=config.parent / "key.txt",
        node="http://127.0.0.1:8545",
        deployment=Path("/etc/packtrace/deployment.json"),
        place=12,
    )
    assert settings.missing == []


def test_options_take_the_place_of_the_file(config: Path) -> None:
    config.write_text(FULL)
    settings = load(config).with_options(node="http://127.0.0.1:1", place=None)
    assert (settings.node, settings.place) == ("http://127.0.0.1:1", 12)


def test_what_is_missing_is_named() -> None:
    assert Settings(gateway="http://127.0.0.1:8000", place=1).missing == ["api_key_file", "node", "deployment"]


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("gatway = 'x'", "gatway", "no such setting"),
        ("place = '12'", "place", "another form"),
        ("place = true", "place", "another form"),
        ("node = 8545", "node", "another form"),
        ("node = ''", "node", "another form"),
        ("gln = '4012345000008'", "gln", "check digit"),
        ("gln = '123'", "gln", "13"),
        ("separator = 'x'", "separator", "another one for GS"),
        ("node", None, "not TOML"),
        ("place = 1\nplace = 2", None, "not TOML"),
        ("# " + "x" * 70_000, None, "too long"),
    ],
)
def test_wrong_configuration_is_refused_by_name(config: Path, text: str, field: str | None, message: str) -> None:
    config.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load(config)
    assert caught.value.field == (field or str(config))


def test_configuration_that_is_not_there_or_not_text_is_refused(config: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(config)
    config.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not TOML"):
        load(config)
