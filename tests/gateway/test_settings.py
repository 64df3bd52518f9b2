"""gateway.toml: read, overridden, refused; and documented."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.epcis.reading import MAX_DOCUMENT_BYTES
from packtrace_gateway import settings
from packtrace_gateway.settings import SETTING_NAMES, Settings, SettingsError

ROOT = Path(__file__).resolve().parents[2]
REQUIRED: dict[str, Any] = {
    "party": 12,
    "company": 10,
    "name": "Apotheke am Markt",
    "gln": "4012345000009",
    "gln_salt": "0123456789abcdef" * 2,
}


def write(folder: Path, **changed: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / settings.FILE_NAME).write_text(settings.to_toml(REQUIRED | changed))
    return folder


def test_a_file_with_the_required_settings_is_read_and_paths_are_in_its_folder(tmp_path: Path) -> None:
    loaded = settings.load(write(tmp_path), {})
    assert (loaded.party, loaded.company, loaded.name) == (12, 10, "Apotheke am Markt")
    assert loaded.database_url == f"sqlite:///{tmp_path / 'gateway.db'}"
    assert loaded.keystore == tmp_path / "keystore"
    assert loaded.deployment == tmp_path / "deployment.json"


def test_absolute_paths_and_database_urls_are_left_as_they_are(tmp_path: Path) -> None:
    loaded = settings.load(write(tmp_path, keystore="/var/keys", database="postgresql://db/packtrace"), {})
    assert loaded.keystore == Path("/var/keys")
    assert loaded.database_url == "postgresql://db/packtrace"


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    environ = {"PACKTRACE_PORT": "9000", "PACKTRACE_FINALITY": "12", "PACKTRACE_HOME": "/elsewhere"}
    loaded = settings.load(write(tmp_path, port=8000), environ)
    assert (loaded.port, loaded.finality) == (9000, 12)


@pytest.mark.parametrize("node", ["http://a.example/", ["http://a.example", "https://b.example"]])
def test_node_is_one_or_a_list(tmp_path: Path, node: str | list[str]) -> None:
    loaded = settings.load(write(tmp_path, node=node), {})
    assert loaded.node == (("http://a.example",) if isinstance(node, str) else tuple(node))
    environ = {"PACKTRACE_NODE": "http://c.example http://d.example"}
    assert settings.load(write(tmp_path, node=node), environ).node == ("http://c.example", "http://d.example")


@pytest.mark.parametrize("finality", ["finalized", 1, 64])
def test_finality_is_the_nodes_own_or_a_depth(tmp_path: Path, finality: str | int) -> None:
    assert settings.load(write(tmp_path, finality=finality), {}).finality == finality


def test_an_unknown_setting_is_refused_by_name_with_the_nearest_one(tmp_path: Path) -> None:
    folder = write(tmp_path)
    with (folder / settings.FILE_NAME).open("a") as file:
        file.write("seal_evry = 3\n")
    with pytest.raises(SettingsError, match=r"seal_evry: unknown setting .* did you mean seal_every\?"):
        settings.load(folder, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("party", 0),
        ("party", 2**22),
        ("party", "twelve"),
        ("gln", "4012345000008"),
        ("gln", "401234500000"),
        ("gln_salt", "00"),
        ("port", 70000),
        ("node", "ws://127.0.0.1:8545"),
        ("node", "127.0.0.1:8545"),
        ("node", ""),
        ("node", ["http://127.0.0.1:8545", "http://127.0.0.1:8545/"]),
        ("node", ["http://127.0.0.1:8545", "ws://127.0.0.1:8546"]),
        ("node", [f"http://127.0.0.1:{port}" for port in range(1, 18)]),
        ("endpoint", "https://gateway.example/?key=1"),
        ("finality", "soon"),
        ("finality", 0),
        ("seal_every", 0),
        ("node", "http://127.0.0.1:99999"),
        ("node", "http://127.0.0.1:0"),
        ("node", "http://[::1"),
        ("max_body", 10),
        ("max_body", MAX_DOCUMENT_BYTES + 1),
        ("log_level", "chatty"),
        ("name", ""),
        ("host", ""),  # would be every address of the machine
        ("tls_host", ""),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_settings_name(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.load(write(tmp_path, **{name: value}), {})
    assert refused.value.field == name
    assert refused.value.message


def test_a_refusal_says_all_forms_that_a_value_may_have_and_the_standards_rule_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"should be 'finalized'; or: .* greater than or equal to 1"):
        settings.load(write(tmp_path, finality=0), {})
    with pytest.raises(SettingsError) as refused:
        settings.load(write(tmp_path, gln="4012345000008"), {})
    assert str(refused.value).count("4012345000008") == 1
    assert "check digit is wrong" in str(refused.value)
    assert "GS1 General Specifications, 7.9.1" in str(refused.value)


def test_a_missing_required_setting_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, gln=None)
    with pytest.raises(SettingsError, match="gln: this setting is required"):
        settings.load(folder, {})


def test_a_refused_salt_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.load(write(tmp_path, gln_salt="topsecret"), {})
    assert "topsecret" not in str(refused.value)


def test_secrets_are_not_in_the_representation(tmp_path: Path) -> None:
    loaded = settings.load(write(tmp_path, node="http://user:password@node.example"), {})
    assert "password" not in repr(loaded)
    assert REQUIRED["gln_salt"] not in repr(loaded)


@pytest.mark.parametrize("text", ["party = ", "party = 1\nparty = 2", "\xff"])
def test_what_is_not_toml_is_refused_with_the_files_name(tmp_path: Path, text: str) -> None:
    (tmp_path / settings.FILE_NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"gateway\.toml is not valid TOML"):
        settings.load(tmp_path, {})


def test_a_folder_without_a_gateway_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="packtrace gateway init"):
        settings.load(tmp_path, {})


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / settings.FILE_NAME).write_text("#" * (settings.MAX_SETTINGS_FILE + 1))
    with pytest.raises(SettingsError, match="too large"):
        settings.load(tmp_path, {})


def test_settings_are_frozen(tmp_path: Path) -> None:
    loaded = settings.load(write(tmp_path), {})
    with pytest.raises(ValueError, match="frozen"):
        loaded.port = 1


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), st.integers(0, 65535))
def test_any_text_and_number_survives_the_written_file(name: str, port: int) -> None:
    text = settings.to_toml(REQUIRED | {"name": name, "port": port})
    assert tomllib.loads(text) == REQUIRED | {"name": name, "port": port}


def test_every_setting_is_documented() -> None:
    document = (ROOT / "docs" / "settings.md").read_text()
    assert settings.table() in document, "docs/settings.md is out of date: put `packtrace gateway settings` into it"
    for name in SETTING_NAMES:
        assert Settings.model_fields[name].description, name
