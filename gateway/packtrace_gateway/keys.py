"""The party's signing keys: one encrypted file a key (Web3 secret storage), opened once at the start.

Files are named after their purpose: ``operate.json``, ``relayer.json``, and ``relayer-2.json`` … where a purpose has
several. A file or passphrase that others on the machine can read is refused.
"""

import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from packtrace.errors import PacktraceError
from packtrace_gateway.settings import Settings

PASSPHRASE_VARIABLE = "PACKTRACE_PASSPHRASE"  # noqa: S105 (a variable's name)
MAX_KEYS = 64
MAX_KEY_FILE = 16 * 1024  # bytes; a key file has about 500
MIN_PASSPHRASE = 12  # characters, of one that a person chose
GENERATED = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes
# scrypt's N, with r = 8, p = 1: Geth's standard for what a person chose; 256 random bits need no stretching.
STRETCH_CHOSEN = 2**18
STRETCH_GENERATED = 2**12


class Purpose(StrEnum):
    """What a key signs (IPartyRegistry, PURPOSE_*); a relayer's key only pays for transactions."""

    OPERATE = "operate"
    LINE = "line"
    QUALITY = "quality"
    MANAGE = "manage"
    RELAYER = "relayer"


class KeystoreError(PacktraceError):
    """A signing key that is missing, unreadable or cannot be decrypted."""


class KeyRing:
    """The opened keys of one party."""

    def __init__(self, accounts: Mapping[Purpose, Sequence[LocalAccount]]) -> None:
        self._accounts = {purpose: tuple(found) for purpose, found in accounts.items() if found}

    @staticmethod
    def load(settings: Settings) -> "KeyRing":
        """Open every key in the keystore; `KeystoreError` names the file that cannot be opened, and why."""
        files = _key_files(settings.keystore)
        if not files:
            raise KeystoreError(
                f"there is no key in {settings.keystore}: make one with `packtrace gateway signer add DIR operate`"
            )
        passphrase = read_passphrase(settings)
        accounts: dict[Purpose, list[LocalAccount]] = {}
        for purpose, file in files:
            accounts.setdefault(purpose, []).append(_open(file, passphrase))
        return KeyRing(accounts)

    def account(self, purpose: Purpose | str) -> LocalAccount:
        """The key of that purpose (the first where there are several)."""
        return self.accounts(purpose)[0]

    def accounts(self, purpose: Purpose | str) -> tuple[LocalAccount, ...]:
        """All keys of that purpose, at least one; `KeystoreError` where there is none."""
        found = self._accounts.get(Purpose(purpose))
        if not found:
            raise KeystoreError(
                f"this gateway has no {purpose} key; make one with `packtrace gateway signer add DIR {purpose}`, "
                "have it registered, and start the gateway again"
            )
        return found

    def has(self, purpose: Purpose | str) -> bool:
        return Purpose(purpose) in self._accounts

    def use(self, purpose: Purpose, account: LocalAccount) -> None:
        """Sign with another key for that purpose from now on (instead of the first, where there are several)."""
        _, *others = self.accounts(purpose)
        self._accounts[purpose] = (account, *others)

    def signers(self, purposes: Sequence[str]) -> "Signers":
        """The keys of these purposes, as they are at any time."""
        return Signers(self, purposes)


class Signers(Mapping[str, LocalAccount]):
    """A key ring's keys by purpose: a key that is exchanged is seen at once."""

    def __init__(self, ring: KeyRing, purposes: Sequence[str]) -> None:
        self._ring, self._purposes = ring, purposes

    def __getitem__(self, purpose: str) -> LocalAccount:
        if purpose not in self._purposes or not self._ring.has(purpose):
            raise KeyError(purpose)
        return self._ring.account(purpose)

    def __iter__(self) -> Iterator[str]:
        return (purpose for purpose in self._purposes if self._ring.has(purpose))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def add_key(settings: Settings, purpose: Purpose) -> tuple[str, Path]:
    """Make a new random key for `purpose` in the keystore: its address and its file."""
    taken = {file.name for _purpose, file in _key_files(settings.keystore)}
    if len(taken) >= MAX_KEYS:
        raise KeystoreError(f"{settings.keystore} is full", rule=f"at most {MAX_KEYS} keys")
    names = (f"{purpose}.json" if number == 1 else f"{purpose}-{number}.json" for number in range(1, MAX_KEYS + 2))
    file = settings.keystore / next(name for name in names if name not in taken)
    return make_key(settings, file).address, file


def make_key(settings: Settings, file: Path) -> LocalAccount:
    """Make a new random key in a new file, encrypted with the keystore's passphrase. On disk when this returns."""
    passphrase = read_passphrase(settings)
    stretch = STRETCH_GENERATED if GENERATED.fullmatch(passphrase) else STRETCH_CHOSEN
    account: LocalAccount = Account.create()
    content = Account.encrypt(account.key, passphrase, kdf="scrypt", iterations=stretch)
    write_secret(file, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return account


def open_key(settings: Settings, file: Path) -> LocalAccount:
    """The key in a file. Raises KeystoreError where it cannot be opened."""
    return _open(file, read_passphrase(settings))


def file_of(settings: Settings, purpose: Purpose) -> Path:
    """The file of the key that signs for that purpose. Raises KeystoreError where there is none."""
    for known, file in _key_files(settings.keystore):
        if known is purpose:
            return file
    raise KeystoreError(f"there is no {purpose} key in {settings.keystore}")


def address_in(file: Path) -> str:
    """The address of the key in a file; needs no passphrase."""
    try:
        return to_checksum_address("0x" + str(_content(file).get("address", "")).removeprefix("0x"))
    except ValueError:
        raise _no_key_file(file) from None


def sync_folder(folder: Path) -> None:
    """The names of the files in it are on disk when this returns."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def ensure_keys(settings: Settings, purposes: Sequence[Purpose]) -> list[tuple[Purpose, str]]:
    """A key for each of `purposes`, and its address: those that are there already, in their order, then new ones."""
    there = addresses(settings)
    found = []
    for purpose in purposes:
        known = next((entry for entry in there if entry[0] is purpose), None)
        if known is not None:
            there.remove(known)
        found.append(known or (purpose, add_key(settings, purpose)[0]))
    return found


def addresses(settings: Settings) -> list[tuple[Purpose, str]]:
    """Purpose and address of every key in the keystore; needs no passphrase."""
    return [(purpose, address_in(file)) for purpose, file in _key_files(settings.keystore)]


def make_passphrase(settings: Settings) -> None:
    """Write a random passphrase into the passphrase file, unless the environment gives one or the file is there."""
    if PASSPHRASE_VARIABLE not in os.environ and not settings.passphrase_file.exists():
        write_secret(settings.passphrase_file, secrets.token_urlsafe(32).encode() + b"\n")


def read_passphrase(settings: Settings) -> str:
    """The keystore's passphrase, from the environment or the passphrase file."""
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is None:
        given = _read_secret(settings.passphrase_file, f"set {PASSPHRASE_VARIABLE}, or write it into this file").decode(
            errors="replace"
        )
    passphrase = given.strip("\r\n")
    if len(passphrase) < MIN_PASSPHRASE:
        raise KeystoreError("the keystore's passphrase is too short", rule=f"at least {MIN_PASSPHRASE} characters")
    return passphrase


def write_secret(file: Path, content: bytes) -> None:
    """Write a new file that only its owner can read; it never replaces one. On disk when this returns.

    Where that fails (a full disk), nothing of it is left: a key file cut short would keep the gateway from starting.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeystoreError(f"{file} is there already, and is not replaced") from None
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        file.unlink()
        raise
    sync_folder(file.parent)


def _key_files(keystore: Path) -> list[tuple[Purpose, Path]]:
    """Every key file with its purpose, those of one purpose in the order of their numbers."""
    form = re.compile(rf"({'|'.join(Purpose)})(?:-([0-9]{{1,3}}))?\.json")
    found = [(form.fullmatch(file.name), file) for file in keystore.glob("*.json")]
    numbered = sorted((Purpose(match[1]), int(match[2] or 1), file) for match, file in found if match)
    if len(numbered) > MAX_KEYS:
        raise KeystoreError(f"{keystore} has {len(numbered)} keys", rule=f"at most {MAX_KEYS} keys")
    return [(purpose, file) for purpose, _number, file in numbered]


def _content(file: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(_read_secret(file, "restore it from the backup"))
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise _no_key_file(file)
    return content


def _open(file: Path, passphrase: str) -> LocalAccount:
    content = _content(file)
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(content, passphrase))
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        if "MAC" in str(error):
            raise KeystoreError(f"the passphrase does not open {file}") from None
        raise _no_key_file(file) from None
    return account


def _no_key_file(file: Path) -> KeystoreError:
    return KeystoreError(f"{file} is not a key file; restore it from the backup", rule="Web3 secret storage, version 3")


def _read_secret(file: Path, hint: str) -> bytes:
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise KeystoreError(f"{file} cannot be read ({error.strerror}): {hint}") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeystoreError(f"others on this machine can read {file}: run `chmod 600 {file}`, and change what it opens")
    if len(data) > MAX_KEY_FILE:
        raise KeystoreError(f"{file} is too large to be a key or a passphrase")
    return data
