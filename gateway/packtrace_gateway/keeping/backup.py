"""A gateway's backup: one file with everything that another machine needs to go on, made while the gateway runs.

The file is a tar archive, encrypted with age (https://age-encryption.org/v1) for whoever may restore it: event secrets,
product secrets and signing keys are in it. A public key is enough to make one, so the machine that makes backups cannot
read those of yesterday. `age` itself opens them too, in twenty years as well.
"""

import io
import os
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Any

import orjson
import pyrage

from packtrace.errors import PacktraceError
from packtrace_gateway import settings as settings_of
from packtrace_gateway.certificates import Files as TlsFiles
from packtrace_gateway.db import Database
from packtrace_gateway.keeping.models import Restoration
from packtrace_gateway.settings import Settings

FORMAT = "packtrace-backup/1"
MANIFEST, SETTINGS, DEPLOYMENT, DATABASE, KEYSTORE, PASSPHRASE = (
    "manifest.json", settings_of.FILE_NAME, "deployment.json", "gateway.db", "keystore/", "keystore/passphrase",
)  # fmt: skip
TLS = "tls/"  # with its authority lost, each phone would have to install another
MAX_MANIFEST = 64 * 1024  # bytes; a line for each file, of which there are some seventy at most
Content = Path | bytes  # a file, or what was in it
# Where these lie is this machine's business; a restored gateway has them in its own folder.
PLACES = ("database", "deployment", "keystore", "passphrase_file")


class BackupError(PacktraceError):
    """A backup that cannot be made or restored."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is: of which party, made when (unix time), and the SHA-256 of each file in it."""

    format: str
    party: int
    name: str
    made_at: int
    files: dict[str, str]


# ---- making one ----


def back_up(settings: Settings, target: Path, recipients: Sequence[str]) -> Manifest:
    """Write a backup to the new file `target`; without `recipients` (age public keys) it is not encrypted.

    The database is copied as it is at one moment, whoever writes meanwhile. Nothing is left behind when it fails.
    """
    if target.exists():
        raise BackupError("this file is there already, and is not replaced", field="file", value=str(target))
    readers = [_recipient(text) for text in recipients]
    try:
        with tempfile.TemporaryDirectory(prefix=".packtrace-backup-", dir=target.parent) as folder:
            copy, partial = Path(folder, DATABASE), Path(folder, "backup")
            database = Database(settings.database_url)
            try:
                database.check_schema()
                database.copy_to(copy)
            finally:
                database.close()
            manifest, files = _collect(settings, copy)
            with _new(partial) as out:
                if readers:
                    with _piped(lambda stream: _write(stream, manifest, files)) as archive:
                        pyrage.encrypt_io(archive, out, readers)
                else:
                    _write(out, manifest, files)
                out.flush()
                os.fsync(out.fileno())
            os.link(partial, target)  # unlike a rename, never replaces a file that came meanwhile
            _sync(target.parent)
    except OSError as error:
        raise BackupError(f"the backup could not be written: {error}", field="file", value=str(target)) from None
    return manifest


def _collect(settings: Settings, database: Path) -> tuple[Manifest, dict[str, Content]]:
    small = {SETTINGS: settings.folder / settings_of.FILE_NAME, DEPLOYMENT: settings.deployment}
    small |= {f"{KEYSTORE}{file.name}": file for file in sorted(settings.keystore.glob("*.json"))}
    small |= {name: file for name, file in _tls(settings.folder).items() if file.exists()}
    if settings.passphrase_file.exists():
        small[PASSPHRASE] = settings.passphrase_file
    # Read at once: what is renewed while the database is being written must not differ from its sum.
    files: dict[str, Content] = {DATABASE: database} | {name: file.read_bytes() for name, file in small.items()}
    sums = {name: sha256(file).hexdigest() if isinstance(file, bytes) else _sum(file) for name, file in files.items()}
    return Manifest(FORMAT, settings.party, settings.name, int(time.time()), sums), files


def _tls(folder: Path) -> dict[str, Path]:
    """The local authority's files and the certificate's, by their names in a backup."""
    tls = TlsFiles(folder / TLS)
    return {f"{TLS}{file.name}": file for file in (tls.authority, tls.authority_key, tls.certificate, tls.key)}


def _write(stream: IO[bytes], manifest: Manifest, files: dict[str, Content]) -> None:
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        text = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)
        for name, file in ({MANIFEST: text} | files).items():
            with io.BytesIO(file) if isinstance(file, bytes) else file.open("rb") as content:
                size = content.seek(0, io.SEEK_END)
                content.seek(0)
                archive.addfile(_entry(name, size, manifest.made_at), content)


def _entry(name: str, size: int, time_: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, time_, 0o600
    return entry


def _recipient(text: str) -> Any:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise BackupError(
            f"this is not an age public key: {error}", field="recipient", value=text, rule="age1… (made by age-keygen)"
        ) from None


# ---- restoring one ----


def restore(file: Path, folder: Path, identities: Sequence[str]) -> Manifest:
    """Make a gateway's new folder from a backup. `identities` are age secret keys (AGE-SECRET-KEY-1…).

    The folder is complete or not there. The gateway in it compares itself with the chain before it gives out a
    number or seals an event (`keeping.recovery`).
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupError("a backup is restored into a new folder", field="folder", value=str(folder))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))  # mode 0700
        try:
            manifest = _unpack(file, partial, identities)
            _make_own(partial, manifest)
            if folder.exists():
                folder.rmdir()
            partial.rename(folder)
            _sync(folder.parent)
        except BaseException:
            shutil.rmtree(partial)
            raise
    except OSError as error:
        raise BackupError(f"the backup could not be restored: {error}", field="file", value=str(file)) from None
    return manifest


def read_identities(file: Path) -> list[str]:
    """The secret keys in a file as `age-keygen` writes it."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"the identity file cannot be read: {error}", field="identity", value=str(file)) from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _unpack(file: Path, folder: Path, identities: Sequence[str]) -> Manifest:
    with file.open("rb") as source:
        encrypted = source.read(21) == b"age-encryption.org/v1"
        source.seek(0)
        if not encrypted:
            return _read(source, folder)
        keys = [_identity(text) for text in identities]
        if not keys:
            raise BackupError("this backup is encrypted: give the age identity that opens it", field="identity")
        with _piped(lambda stream: _decrypt(source, stream, keys)) as archive:
            return _read(archive, folder)


def _decrypt(source: IO[bytes], stream: IO[bytes], keys: Sequence[Any]) -> None:
    try:
        pyrage.decrypt_io(source, stream, keys)
    except pyrage.DecryptError as error:
        raise BackupError(f"the backup does not open with this identity, or it is damaged: {error}") from None


def _identity(text: str) -> Any:
    try:
        return pyrage.x25519.Identity.from_str(text)
    except pyrage.IdentityError as error:  # not shown: it is, or was meant to be, a secret
        raise BackupError(
            f"this is not an age secret key: {error}", field="identity", rule="AGE-SECRET-KEY-1…"
        ) from None


def _read(stream: IO[bytes], folder: Path) -> Manifest:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            entries = iter(archive)
            manifest = _manifest(archive, next(entries, None))
            left = dict(manifest.files)
            for entry in entries:
                content = archive.extractfile(entry) if entry.isfile() and entry.name in left else None
                if content is None:
                    raise BackupError("the archive holds what its manifest does not name", value=entry.name)
                target = folder / entry.name
                target.parent.mkdir(mode=0o700, exist_ok=True)
                with _new(target) as out:
                    shutil.copyfileobj(content, out, 1 << 20)
                    out.flush()
                    os.fsync(out.fileno())
                if _sum(target) != left.pop(entry.name):
                    raise BackupError("a file of the backup is damaged", value=entry.name)
            if left:
                raise BackupError("the backup is cut short", value=", ".join(left))
    except tarfile.TarError as error:
        raise BackupError(f"this is no backup of a gateway, or a damaged one: {error}") from None
    return manifest


def _manifest(archive: tarfile.TarFile, entry: tarfile.TarInfo | None) -> Manifest:
    content = archive.extractfile(entry) if entry and entry.name == MANIFEST and entry.size <= MAX_MANIFEST else None
    if content is None:
        raise BackupError("this is no backup of a gateway: it does not begin with a manifest")
    try:
        manifest = Manifest(**orjson.loads(content.read()))
        if not isinstance(manifest.made_at, int) or not all(
            isinstance(total, str) for total in manifest.files.values()
        ):
            raise TypeError("the time or the files are of another form")
    except (orjson.JSONDecodeError, TypeError, AttributeError) as error:
        raise BackupError(f"the backup's manifest cannot be read: {error}") from None
    if manifest.format != FORMAT:
        raise BackupError("this version of packtrace does not know this kind of backup", value=manifest.format)
    needed = {SETTINGS, DEPLOYMENT, DATABASE}
    known = needed | {PASSPHRASE} | _tls(Path()).keys()
    for name in manifest.files:
        plain = name.removeprefix(KEYSTORE)
        if name not in known and (not name.startswith(KEYSTORE) or "/" in plain or not plain.endswith(".json")):
            raise BackupError("a backup holds no such file", field="files", value=name)
    if not needed <= manifest.files.keys():
        raise BackupError("the backup lacks settings, deployment or database", field="files")
    return manifest


def _make_own(folder: Path, manifest: Manifest) -> None:
    """Settings that name this folder's own files; a database that knows that it was restored."""
    file = folder / SETTINGS
    values = {name: value for name, value in settings_of.read(file).items() if name not in PLACES}
    file.unlink()
    with _new(file) as out:
        out.write(settings_of.to_toml(values).encode())
    loaded = settings_of.from_values(values, folder=folder)
    database = Database(loaded.database_url)
    try:
        database.check_whole()
        database.migrate()  # the backup may be of an older version
        with database.write() as session:
            session.add(Restoration(backup_at=manifest.made_at, restored_at=int(time.time())))
    finally:
        database.close()


# ---- files ----


@contextmanager
def _piped(write: Callable[[IO[bytes]], object]) -> Iterator[IO[bytes]]:
    """What `write` writes, to be read while it writes. Its error goes before the reader's, which is its consequence."""
    reader, writer = os.pipe()
    failure: list[BaseException] = []
    given_up = threading.Event()

    def run() -> None:
        with suppress(BrokenPipeError), open(writer, "wb") as stream:
            try:
                write(stream)
            except BaseException as error:
                if not given_up.is_set():
                    failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with open(reader, "rb") as stream:
            try:
                yield stream
                stream.read()  # to the end: a stream that is cut short is found out there
            except BaseException:
                given_up.set()
                raise
    finally:
        thread.join()
        if failure:
            raise failure[0]


def _new(file: Path) -> IO[bytes]:
    """A new file that only its owner can read."""
    return open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sum(file: Path) -> str:
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
