"""The scanner's own configuration: whom it asks, and which node it takes facts about the chain from."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from packtrace.errors import PacktraceError

MAX_CONFIG_BYTES = 64 << 10


class SettingsError(PacktraceError, ValueError):
    """A configuration of the scanner that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is needed to verify a pack, beside its picture.

    `gateway` is the base URL of the company's own gateway, which has the pedigrees, and `api_key_file` the file with
    the key to it. `node` is the URL of the node that this scanner trusts for facts about the chain, and `deployment`
    the file that names the contracts there: never taken from the gateway, which is what is being checked. `place` is
    the party number of the premises where the scanner stands.
    """

    gateway: str | None = None
    api_key_file: Path | None = None
    node: str | None = None
    deployment: Path | None = None
    place: int | None = None

    @property
    def missing(self) -> list[str]:
        """The settings without which no pack can be verified."""
        return [field.name for field in fields(self) if getattr(self, field.name) is None]

    def with_options(self, **options: Any) -> "Settings":
        """These settings, with the options given on the command line in place of the file's."""
        given = {name: value for name, value in options.items() if value is not None}
        return Settings(**{field.name: given.get(field.name, getattr(self, field.name)) for field in fields(self)})


_FORMS: dict[str, tuple[type, str]] = {
    "gateway": (str, "a URL in quotes"),
    "api_key_file": (str, "a path in quotes"),
    "node": (str, "a URL in quotes"),
    "deployment": (str, "a path in quotes"),
    "place": (int, "a party number"),
}
_PATHS = frozenset({"api_key_file", "deployment"})


def load(path: Path) -> Settings:
    """The settings in a ``scanner.toml``; files in it are relative to its folder. Raises SettingsError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"this configuration cannot be read: {error.strerror}", field=str(path)) from error
    if len(data) > MAX_CONFIG_BYTES:
        raise SettingsError("this is too long for a configuration", field=str(path), rule=f"{MAX_CONFIG_BYTES} bytes")
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise SettingsError(f"this configuration is not TOML: {error}", field=str(path)) from error
    for name, value in table.items():
        if name not in _FORMS:
            raise SettingsError("there is no such setting", field=name, rule=f"one of {', '.join(_FORMS)}")
        kind, form = _FORMS[name]
        if type(value) is not kind or not value:
            raise SettingsError("this setting has another form", field=name, value=value, rule=form)
    return Settings(**{name: path.parent / value if name in _PATHS else value for name, value in table.items()})
