"""A backup is whole, secret and restorable, or not there."""

import io
import os
import sqlite3
import stat
import tarfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyrage
import pytest
from cryptography import x509
from sqlmodel import select

from packtrace_gateway import keys, settings
from packtrace_gateway.app import build
from packtrace_gateway.certificates import SERVER_DAYS, Files, issue
from packtrace_gateway.db import Database
from packtrace_gateway.keeping import backup
from packtrace_gateway.keeping.backup import BackupError, back_up, read_identities, restore
from packtrace_gateway.keeping.models import Restoration
from packtrace_gateway.settings import Settings


@pytest.fixture
def made(gateway_settings: Settings) -> Settings:
    """A gateway's folder with its settings file, as `init` leaves it."""
    values = gateway_settings.model_dump(mode="json")
    (gateway_settings.folder / settings.FILE_NAME).write_text(settings.to_toml(values))
    return gateway_settings


@pytest.fixture
def identity() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


def products(file: Path) -> list[tuple[str, bytes]]:
    with sqlite3.connect(file) as connection:
        return connection.execute("SELECT gtin, secret FROM product_secret ORDER BY gtin").fetchall()


def write_products(database: Database, first: int, count: int) -> None:
    for number in range(first, first + count):
        with database.write() as session:
            session.connection().exec_driver_sql(
                "INSERT INTO product_secret VALUES (?, ?)", (f"{number:014}", os.urandom(32))
            )


def test_a_backup_restores_everything_and_keeps_it_secret(
    made: Settings, identity: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    database = Database(made.database_url)
    write_products(database, 0, 3)
    database.close()
    file, folder = tmp_path / "backup.age", tmp_path / "restored"
    waiting = keys.make_key(made, made.keystore / "operate.next.json")  # its exchange is under way
    manifest = back_up(made, file, [str(identity.to_public())])
    content = file.read_bytes()
    secrets = [secret for _, secret in products(made.folder / "gateway.db")]
    assert secrets
    assert not any(secret in content for secret in secrets)
    assert keys.read_passphrase(made).encode() not in content
    assert file.stat().st_mode & 0o077 == 0
    assert restore(file, folder, [str(identity)]) == manifest
    again = settings.load(folder)
    assert again.model_dump(exclude={"folder", "database", *backup.PLACES}) == made.model_dump(
        exclude={"folder", "database", *backup.PLACES}
    )
    assert products(folder / "gateway.db") == products(made.folder / "gateway.db")
    assert keys.addresses(again) == keys.addresses(made)
    keys.KeyRing.load(again)  # the passphrase opens them
    assert keys.open_key(again, again.keystore / "operate.next.json") == waiting
    assert all(path.stat().st_mode & 0o077 == 0 for path in [folder, *folder.rglob("*")])
    build(again).database.close()


def test_phones_go_on_trusting_a_restored_gateway(
    made: Settings, identity: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    """The authority that each phone has installed still signs: phones need not be set up anew."""
    before, after = Files(made.folder / "tls"), Files(tmp_path / "restored" / "tls")
    issue(before, "Pharmacy", ["192.168.1.20"])
    back_up(made, tmp_path / "backup.age", [str(identity.to_public())])
    assert before.authority_key.read_bytes() not in (tmp_path / "backup.age").read_bytes()
    restore(tmp_path / "backup.age", tmp_path / "restored", [str(identity)])
    for one, other in zip(all_of(before), all_of(after), strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert stat.S_IMODE(other.stat().st_mode) == 0o600
    assert stat.S_IMODE(after.folder.stat().st_mode) == 0o700
    assert not issue(after, "Pharmacy").made, "the gateway starts with the certificate that it had"
    next_year = datetime.now(UTC) + timedelta(days=SERVER_DAYS)
    assert issue(after, "Pharmacy", now=next_year).made
    authority = x509.load_pem_x509_certificate(before.authority.read_bytes())
    renewed = x509.load_pem_x509_certificate(after.certificate.read_bytes())
    renewed.verify_directly_issued_by(authority)


def all_of(files: Files) -> tuple[Path, ...]:
    return files.authority, files.authority_key, files.certificate, files.key


def test_what_is_renewed_while_a_backup_is_written_does_not_spoil_it(
    made: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(made.folder / "tls")
    issue(files, "Pharmacy", ["192.168.1.20"])
    before = files.certificate.read_bytes()
    write = backup._write

    def renewed(*args: Any) -> None:
        assert issue(files, "Pharmacy", now=datetime.now(UTC) + timedelta(days=SERVER_DAYS)).made
        write(*args)

    monkeypatch.setattr(backup, "_write", renewed)
    back_up(made, tmp_path / "backup.tar", [])
    restore(tmp_path / "backup.tar", tmp_path / "restored", [])
    assert files.certificate.read_bytes() != before
    assert (tmp_path / "restored" / "tls" / "gateway.crt").read_bytes() == before


def test_the_copy_is_of_one_moment_while_others_write(made: Settings, tmp_path: Path) -> None:
    database = Database(made.database_url)
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            write_products(database, number, 1)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            back_up(made, tmp_path / f"{number}.tar", [])
    finally:
        over.set()
        writer.join()
        database.close()
    counts = []
    for number in range(5):
        restore(tmp_path / f"{number}.tar", tmp_path / f"r{number}", [])
        found = products(tmp_path / f"r{number}" / "gateway.db")
        assert [gtin for gtin, _ in found] == [f"{at:014}" for at in range(len(found))], "a prefix of what was written"
        counts.append(len(found))
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_a_restored_database_knows_that_it_was(made: Settings, tmp_path: Path) -> None:
    manifest = back_up(made, tmp_path / "backup.tar", [])
    restore(tmp_path / "backup.tar", tmp_path / "restored", [])
    database = Database(settings.load(tmp_path / "restored").database_url)
    with database.read() as session:
        [row] = session.exec(select(Restoration)).all()
    database.close()
    assert (row.backup_at, row.done_at) == (manifest.made_at, None)


@pytest.mark.parametrize("damage", ["cut", "bit", "other identity", "no identity"])
def test_a_damaged_backup_or_a_wrong_key_leaves_nothing(
    damage: str, made: Settings, identity: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    file, folder = tmp_path / "backup.age", tmp_path / "restored"
    back_up(made, file, [str(identity.to_public())])
    content = bytearray(file.read_bytes())
    if damage == "cut":
        del content[-1000:]
    elif damage == "bit":
        content[len(content) // 2] ^= 1
    file.write_bytes(content)
    given = {"other identity": [str(pyrage.x25519.Identity.generate())], "no identity": []}.get(damage, [str(identity)])
    with pytest.raises(BackupError) as refused:
        restore(file, folder, given)
    assert str(identity) not in str(refused.value)
    assert not folder.exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".restored")] == []


def test_every_byte_of_a_plain_backup_counts(made: Settings, tmp_path: Path) -> None:
    """Not encrypted, it is still checked file by file against its manifest, and the database page by page."""
    file = tmp_path / "backup.tar"
    back_up(made, file, [])
    content = file.read_bytes()
    with tarfile.open(file) as archive:
        members = [(entry.name, entry.offset_data, entry.size) for entry in archive if entry.name != "manifest.json"]
    for number, (name, offset, size) in enumerate(members):
        changed = bytearray(content)
        changed[offset + size // 2] ^= 1
        file.write_bytes(changed)
        with pytest.raises(BackupError, match="damaged"):
            restore(file, tmp_path / f"r{number}", [])
        assert name


def archive_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "keystore/../../evil.json", "keystore/x/y.json", "other.db", "tls/other.key"]
)
def test_an_archive_cannot_write_outside_or_beside(name: str, tmp_path: Path) -> None:
    known = dict.fromkeys(("gateway.toml", "deployment.json", "gateway.db"), "00" * 32)
    for named in (True, False):
        files = known | ({name: "00"} if named else {})
        manifest = {"format": backup.FORMAT, "party": 1, "name": "x", "made_at": 0, "files": files}
        file = tmp_path / "evil.tar"
        file.write_bytes(archive_of({"manifest.json": orjson.dumps(manifest), name: b"evil"}))
        with pytest.raises(BackupError, match=r"no such file|does not name"):
            restore(file, tmp_path / "restored", [])
        assert not list(tmp_path.rglob("*evil*.json")) + list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    "wrong", [{"files": []}, {"files": None}, {"made_at": "today", "files": {}}, {"files": {"x": 1}}]
)
def test_a_manifest_of_another_form_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    manifest = {"format": backup.FORMAT, "party": 1, "name": "x", "made_at": 0} | wrong
    (tmp_path / "odd.tar").write_bytes(archive_of({"manifest.json": orjson.dumps(manifest)}))
    with pytest.raises(BackupError, match="manifest cannot be read"):
        restore(tmp_path / "odd.tar", tmp_path / "restored", [])


def test_nothing_is_replaced(made: Settings, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    back_up(made, file, [])
    with pytest.raises(BackupError, match="there already"):
        back_up(made, file, [])
    with pytest.raises(BackupError, match="new folder"):
        restore(file, made.folder, [])
    with pytest.raises(BackupError, match="no backup"):
        restore(made.folder / "gateway.db", tmp_path / "restored", [])


def test_a_full_disk_leaves_no_half_backup(made: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr(backup.os, "fsync", full)
    with pytest.raises(BackupError, match="No space left"):
        back_up(made, folder / "backup.tar", [])
    assert list(folder.iterdir()) == []


def test_identities_are_read_as_age_keygen_writes_them(identity: pyrage.x25519.Identity, tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text(f"# created: 2026-11-28\n# public key: {identity.to_public()}\n{identity}\n")
    assert read_identities(file) == [str(identity)]
    with pytest.raises(BackupError, match="public key"):
        back_up(Settings.model_construct(), tmp_path / "x", [str(identity)])
