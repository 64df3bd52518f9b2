"""The keystore: Web3 secret storage, opened with the right passphrase only."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from eth_account import Account

from packtrace_gateway import keys
from packtrace_gateway.keys import KeyRing, KeystoreError, Purpose
from packtrace_gateway.settings import Settings


@pytest.fixture
def store(gateway_settings: Settings) -> Settings:
    return gateway_settings


def test_a_key_that_was_made_is_opened_again_under_its_purpose(store: Settings) -> None:
    address, _file = keys.add_key(store, Purpose.QUALITY)
    ring = KeyRing.load(store)
    assert ring.account("quality").address == address
    assert ring.has("quality")
    assert not ring.has("line")
    assert (Purpose.QUALITY, address) in keys.addresses(store)


def test_several_keys_of_one_purpose_keep_their_order(store: Settings) -> None:
    made = [keys.add_key(store, Purpose.MANAGE) for _ in range(3)]
    assert [file.name for _address, file in made] == ["manage.json", "manage-2.json", "manage-3.json"]
    assert [account.address for account in KeyRing.load(store).accounts("manage")] == [address for address, _ in made]


def test_key_files_are_standard_encrypted_and_private(store: Settings) -> None:
    address, file = keys.add_key(store, Purpose.LINE)
    content = json.loads(file.read_bytes())
    assert content["version"] == 3
    assert content["crypto"]["kdf"] == "scrypt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.passphrase_file.stat().st_mode) == 0o600
    private = Account.decrypt(content, store.passphrase_file.read_text().strip())
    assert Account.from_key(private).address == address
    assert private.hex() not in file.read_text()


def test_a_key_written_by_another_program_is_opened(store: Settings) -> None:
    passphrase = store.passphrase_file.read_text().strip()
    account = Account.create()
    foreign = Account.encrypt(account.key, passphrase, kdf="pbkdf2", iterations=1000)
    keys.write_secret(store.keystore / "manage.json", json.dumps(foreign).encode())
    assert KeyRing.load(store).account(Purpose.MANAGE).address == account.address


def test_a_chosen_passphrase_is_stretched_and_a_generated_one_need_not_be(
    store: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounds(file: Path) -> int:
        count: int = json.loads(file.read_bytes())["crypto"]["kdfparams"]["n"]
        return count

    assert rounds(keys.add_key(store, Purpose.LINE)[1]) == keys.STRETCH_GENERATED
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", "correct horse battery staple")
    assert rounds(keys.add_key(store, Purpose.MANAGE)[1]) == keys.STRETCH_CHOSEN


def test_a_wrong_passphrase_opens_nothing_and_names_the_file(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", "not the passphrase")
    with pytest.raises(KeystoreError, match=r"the passphrase does not open .*operate\.json"):
        KeyRing.load(store)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"version": 3, "crypto": {}}', b"\xff", b"null"])
def test_a_damaged_key_file_is_named(store: Settings, content: bytes) -> None:
    file = store.keystore / "operate.json"
    file.write_bytes(content)
    for look in (KeyRing.load, keys.addresses):
        with pytest.raises(KeystoreError, match=r"operate\.json is not a key file; restore it"):
            look(store)


@pytest.mark.parametrize("name", ["operate.json", "passphrase"])
def test_a_secret_that_others_can_read_is_refused(store: Settings, name: str) -> None:
    (store.keystore / name).chmod(0o640)
    with pytest.raises(KeystoreError, match=f"others on this machine can read .*{name}.*chmod 600"):
        KeyRing.load(store)


def test_a_missing_passphrase_says_where_it_belongs(store: Settings) -> None:
    store.passphrase_file.unlink()
    with pytest.raises(KeystoreError, match="PACKTRACE_PASSPHRASE"):
        KeyRing.load(store)


def test_a_short_passphrase_is_refused(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", "short")
    with pytest.raises(KeystoreError, match="too short"):
        keys.add_key(store, Purpose.LINE)


def test_a_missing_key_says_how_to_make_it(store: Settings) -> None:
    with pytest.raises(KeystoreError, match="no line key; make one with `packtrace gateway signer add DIR line`"):
        KeyRing.load(store).account("line")


def test_an_empty_keystore_is_refused(store: Settings) -> None:
    for file in store.keystore.glob("*.json"):
        file.unlink()
    with pytest.raises(KeystoreError, match="there is no key"):
        KeyRing.load(store)


def test_a_key_file_is_never_replaced(store: Settings) -> None:
    before = (store.keystore / "operate.json").read_bytes()
    with pytest.raises(KeystoreError, match="is not replaced"):
        keys.write_secret(store.keystore / "operate.json", b"x")
    assert (store.keystore / "operate.json").read_bytes() == before


def test_a_key_file_that_does_not_fit_on_the_disk_is_not_left_half(
    store: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            keys.add_key(store, Purpose.LINE)
    assert not KeyRing.load(store).has("line")
    assert keys.add_key(store, Purpose.LINE)[1].name == "line.json"


def test_keys_that_are_there_are_taken_before_new_ones_are_made(store: Settings) -> None:
    first, _file = keys.add_key(store, Purpose.LINE)
    wanted = [Purpose.LINE, Purpose.MANAGE, Purpose.LINE]
    made = keys.ensure_keys(store, wanted)
    assert [purpose for purpose, _address in made] == wanted
    assert made[0] == (Purpose.LINE, first)
    assert made[2][1] == KeyRing.load(store).accounts("line")[1].address
    assert keys.ensure_keys(store, wanted) == made
