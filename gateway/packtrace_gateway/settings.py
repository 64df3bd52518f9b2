"""A gateway's settings: one TOML file per gateway, `gateway.toml`, in the gateway's folder.

Every setting is described here and nowhere else; `docs/settings.md` is written from these descriptions. An
environment variable ``PACKTRACE_<NAME>`` overrides the file. Relative paths are relative to the gateway's
folder.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from packtrace.epcis.reading import MAX_DOCUMENT_BYTES
from packtrace.errors import PacktraceError
from packtrace.gs1.keys import gln

FILE_NAME = "gateway.toml"
ENV_PREFIX = "PACKTRACE_"
MAX_SETTINGS_FILE = 64 * 1024  # bytes; a settings file is a page of text
MAX_NODES = 16
MAX_PARTY = 2**22 - 1  # IPartyRegistry: party numbers are below 2^22


class SettingsError(PacktraceError, ValueError):
    """A settings file that cannot be used as it is."""


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.port == 0:  # and it raises ValueError for what is no port
        raise ValueError("must have a port from 1 to 65535, or none")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http:// or https:// URL without query and fragment")
    return url.rstrip("/")


def _listed(value: Any) -> Any:
    """One text may hold several values: an environment variable has no lists."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise ValueError("must not name the same one twice")
    return values


Url = Annotated[str, AfterValidator(_base_url)]
Urls = Annotated[
    tuple[Url, ...], BeforeValidator(_listed), AfterValidator(_distinct), Field(min_length=1, max_length=MAX_NODES)
]
Gln = Annotated[str, AfterValidator(gln)]
PartyNumber = Annotated[int, Field(ge=1, le=MAX_PARTY)]


class Settings(BaseModel):
    """Settings of one gateway, checked and frozen. Made by `load`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    folder: Path = Field(exclude=True, description="The gateway's folder: where `gateway.toml` lies.")

    party: PartyNumber = Field(description="Number of this premises in the party registry.")
    company: PartyNumber = Field(description="Party number of the company that the premises belongs to.")
    name: str = Field(min_length=1, max_length=200, description="Name of the premises, shown to people.")
    gln: Gln = Field(description="Global Location Number of the premises, 13 digits.")
    gln_salt: str = Field(
        pattern=r"^[0-9a-f]{32}$",
        repr=False,
        description="16 secret bytes in hexadecimal that hide the GLN in its commitment on chain. Keep it: "
        "without it the commitment cannot be opened.",
    )
    public_places: bool = Field(
        False,
        description="Whether the read points of events recorded here travel with the goods. Not a dispenser's, whose "
        "GLN is not public: they are opened by choice only.",
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    tls_host: str = Field("127.0.0.1", min_length=1, description="Address to listen on with TLS, for the phone page.")
    tls_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port to listen on with TLS as well; 0 takes a free one, none serves no TLS (docs/phone.md).",
    )
    tls_certificate: Path = Field(
        Path("tls/gateway.crt"),
        description="Certificate, with its chain, in PEM; `packtrace gateway certificate` makes one.",
    )
    tls_key: Path = Field(Path("tls/gateway.key"), description="The certificate's private key, in PEM.")
    endpoint: Url | None = Field(
        None, description="Base URL under which partners reach this gateway, as in the party registry."
    )
    regulator: PartyNumber | None = Field(
        None,
        description="Party number of the authority that gets the data of every batch commissioned here, and with them "
        "the products' secrets.",
    )
    database: str = Field(
        "gateway.db",
        min_length=1,
        description="Database: path of an SQLite file, or its SQLAlchemy URL. No other database is supported yet.",
    )
    node: Urls = Field(
        ("http://127.0.0.1:8545",),
        repr=False,
        description="JSON-RPC URL of the Ethereum node that this gateway asks, or a list of several, the preferred one "
        "first (docs/operations.md); in the environment separated by spaces.",
    )
    node_timeout: float = Field(10.0, gt=0, le=300, description="Seconds to wait for a node's answer.")
    deployment: Path = Field(
        Path("deployment.json"), description="Deployment file: chain number and contract addresses."
    )
    keystore: Path = Field(
        Path("keystore"),
        description="Folder with the party's signing keys (Web3 secret storage, one file a key).",
    )
    passphrase_file: Path = Field(
        Path("keystore/passphrase"),
        description="File with the keystore's passphrase. The environment variable `PACKTRACE_PASSPHRASE` "
        "goes before it.",
    )
    finality: Literal["finalized"] | Annotated[int, Field(ge=1, le=100_000)] = Field(
        "finalized",
        description='When a block counts as final: `"finalized"` asks the node, a number N waits for N blocks on top.',
    )
    max_fee: float = Field(
        500.0,
        gt=0,
        le=1_000_000,
        description="The most that is paid for a transaction, in gwei per gas; while the chain asks for more, calls "
        "wait.",
    )
    seal_every: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="Seconds between two seals of captured events into a batch for the chain.",
    )
    max_body: int = Field(
        MAX_DOCUMENT_BYTES,
        ge=1024,
        le=MAX_DOCUMENT_BYTES,
        description="Largest request body in bytes, on the bulk routes (capture).",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @property
    def database_url(self) -> str:
        """The database as an SQLAlchemy URL."""
        return self.database if "://" in self.database else f"sqlite:///{self.folder / self.database}"


SETTING_NAMES = tuple(name for name in Settings.model_fields if name != "folder")
_PATHS = ("deployment", "keystore", "passphrase_file", "tls_certificate", "tls_key")


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the gateway folder (or settings file) at `path`, overridden by `environ`.

    Raises `SettingsError` with the setting's name, what stood there and the rule.
    """
    file = path / FILE_NAME if path.is_dir() else path
    values = read(file)
    for name in values:
        if name not in SETTING_NAMES:
            raise _unknown(file, name)
    for name in SETTING_NAMES:
        text = environ.get(ENV_PREFIX + name.upper())
        if text is not None:
            values[name] = text
    return from_values(values, folder=file.parent)


def from_values(values: Mapping[str, Any], *, folder: Path) -> Settings:
    """Settings from plain values, relative paths taken from `folder`."""
    folder = folder.absolute()
    try:
        settings = Settings.model_validate({**values, "folder": folder})
    except ValidationError as error:
        raise _refusal(error) from None
    return settings.model_copy(update={name: folder / getattr(settings, name) for name in _PATHS})


def table() -> str:
    """Every setting as a Markdown table, as it stands in `docs/settings.md`."""
    lines = ["| setting | environment | default | meaning |", "| --- | --- | --- | --- |"]
    for name in SETTING_NAMES:
        field = Settings.model_fields[name]
        default = "required" if field.is_required() else f"`{_toml(field.default)}`"
        lines.append(f"| `{name}` | `{ENV_PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def to_toml(values: Mapping[str, Any]) -> str:
    """`values` as the text of a settings file, each with its meaning in a comment above."""
    parts = []
    for name in SETTING_NAMES:
        if values.get(name) is not None:
            parts.append(f"# {Settings.model_fields[name].description}\n{name} = {_toml(values[name])}\n")
    return "\n".join(parts)


def read(file: Path) -> dict[str, Any]:
    """What a settings file says, not checked yet."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_SETTINGS_FILE + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"{file} cannot be read ({reason}): make a gateway with `packtrace gateway init DIR`"
        ) from None
    if len(data) > MAX_SETTINGS_FILE:
        raise SettingsError(f"{file} is too large to be a settings file", rule=f"at most {MAX_SETTINGS_FILE} bytes")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}", rule="TOML 1.0, UTF-8") from None


def _unknown(file: Path, name: str) -> SettingsError:
    near = difflib.get_close_matches(name, SETTING_NAMES, n=1)
    hint = f"did you mean {near[0]}?" if near else "see docs/settings.md for the settings there are"
    return SettingsError(f"unknown setting in {file}; {hint}", field=name)


def _refusal(error: ValidationError) -> SettingsError:
    first, *others = error.errors(include_url=False)
    name = str(first["loc"][0])
    rule = f"{ENV_PREFIX}{name.upper()} or {name} in {FILE_NAME}"
    if first["type"] == "missing":
        return SettingsError("this setting is required", field=name, rule=rule)
    value = first["input"] if Settings.model_fields[name].repr else None  # a secret is not shown
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, PacktraceError):
        return SettingsError(cause.message, field=name, value=value, rule=f"{cause.rule}; {rule}")
    # What may have one form or another has an error for each of them.
    told = [entry["msg"].removeprefix("Value error, ") for entry in (first, *others) if entry["loc"][0] == name]
    return SettingsError("; or: ".join(dict.fromkeys(told)), field=name, value=value, rule=rule)


def _toml(value: Any) -> str:
    match value:
        case None:
            return "(none)"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
