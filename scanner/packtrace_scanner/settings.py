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

    `gateway` is the company's own gateway (it has the pedigree) and `api_key_file` the key to it. `node` is the RPC
    endpoint that this scanner trusts for facts about the chain, and `deployment` the file that names the contracts
    there: never taken from the gateway, which is what is being checked. `place` is the party number of the premises.
    """

    gateway: str | None = None
    api_key_file: Path | None = None
    node: str | None = None
    deployment: Path | None = None
    place: str | None = None

    @property
    def missing(self) -> list[str]:
        """The settings without which no pack can be verified."""
        return [field.name for field in fields(self) if getattr(self, field.name) is None]

    def with_options(self, **options: Any) -> "Settings":
        """These settings, with the options given on the command line in place of the file's."""
        given = {name: value for name, value in options.items() if value is not None}
        return Settings(**{field.name: given.get(field.name, getattr(self, field.name)) for field in fields(self)})


_PATHS = {"api_key_file", "deployment"}


def load(path: Path) -> Settings:
    """The settings in a ``scanner.toml``; files in it are relative to its folder. Raises SettingsError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"this configuration cannot be read: {error.strerror}", field=str(path)) from error
    if len(data) > MAX_CONFIG_BYTES:
        raise SettingsError("this is too long for a configuration", field=str(path), rule=f"{MAX_CONFIG_BYTES} bytes")
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise SettingsError(f"this configuration is not TOML: {error}", field=str(path)) from error
    known = [field.name for field in fields(Settings)]
    for name, value in table.items():
        if name not in known:
            raise SettingsError("there is no such setting", field=name, rule=f"one of {', '.join(known)}")
        if not isinstance(value, str) or not value:
            raise SettingsError("this setting is a text in quotes", field=name, value=value)
    return Settings(**{n: path.parent / v if n in _PATHS else v for n, v in table.items()})
