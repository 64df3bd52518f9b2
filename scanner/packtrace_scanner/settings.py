"""The scanner's own configuration: whom it asks, and which node it takes facts about the chain from."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from packtrace.errors import IdentifierError, PacktraceError
from packtrace.gs1 import keys
from packtrace.gs1.element_string import SYMBOLOGIES
from packtrace.gs1.separators import check_separator

MAX_CONFIG_BYTES = 64 << 10
NEEDED = ("gateway", "api_key_file", "node", "deployment", "place")
"""The settings without which no pack can be verified."""


class SettingsError(PacktraceError, ValueError):
    """A configuration of the scanner that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is needed to verify a pack, beside its picture.

    `gateway` is the base URL of the company's own gateway, which has the pedigrees, and `api_key_file` the file with
    the key to it. `node` is the URL of the node that this scanner trusts for facts about the chain, and `deployment`
    the file that names the contracts there: never taken from the gateway, which is what is being checked. `place` is
    the party number of the premises where the scanner stands.

    To record what happens to goods, `gln` is the number of those premises (13 digits), and `journal` the file in which
    what was scanned is kept until the gateway has it.

    For hand scanners: `separator` is what the scanner sends for GS (0x1D), and `without_identifier` the symbology
    identifier that its codes have where it sends none: with ``]d2`` the operator answers for it that the scanner reads
    nothing but GS1 DataMatrix.
    """

    gateway: str | None = None
    api_key_file: Path | None = None
    node: str | None = None
    deployment: Path | None = None
    place: int | None = None
    gln: str | None = None
    journal: Path | None = None
    separator: str | None = None
    without_identifier: str | None = None

    @property
    def missing(self) -> list[str]:
        """The settings without which no pack can be verified."""
        return [name for name in NEEDED if getattr(self, name) is None]

    @property
    def verifies(self) -> bool:
        """Whether any of the settings to verify a pack is there: then all have to be."""
        return len(self.missing) < len(NEEDED)

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
    "gln": (str, "a GLN of 13 digits in quotes"),
    "journal": (str, "a path in quotes"),
    "separator": (str, "what the scanner sends for GS, in quotes"),
    "without_identifier": (str, "a symbology identifier such as ]d2, in quotes"),
}
_PATHS = frozenset({"api_key_file", "deployment", "journal"})


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
    for name, check in (("gln", keys.gln), ("separator", check_separator)):
        if name in table:
            _check(name, check, table[name])
    _check_identifier(table)
    return Settings(**{name: path.parent / value if name in _PATHS else value for name, value in table.items()})


def _check(name: str, check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except IdentifierError as error:
        raise SettingsError(error.message, field=name, value=text, rule=error.rule) from error


def _check_identifier(table: dict[str, Any]) -> None:
    identifier = table.get("without_identifier")
    if identifier is not None and identifier not in SYMBOLOGIES:
        raise SettingsError(
            "not the symbology identifier of GS1 data",
            field="without_identifier",
            value=identifier,
            rule=f"one of {', '.join(SYMBOLOGIES)}",
        )
