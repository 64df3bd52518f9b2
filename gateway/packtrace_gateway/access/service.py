"""Making, checking and revoking API keys.

A key reads ``pt_<id>_<secret>``: the id is public and finds the row, the secret is compared in constant time.
"""

import hmac
import re
import secrets
import threading
import time
from collections.abc import Iterable
from hashlib import sha256

from sqlmodel import select, update

from packtrace.errors import DocumentError
from packtrace_gateway.access.models import ApiKey, Caller, Role
from packtrace_gateway.db import Database
from packtrace_gateway.problems import NotFoundError, UnauthorizedError

KEY_FORM = re.compile(r"pt_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")
ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
SECRET_BYTES = 32
MAX_NAME = 100
USE_FLUSH_EVERY = 30.0  # seconds; `last_used_at` is that coarse


class AccessService:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, int] = {}
        self._used_lock = threading.Lock()

    def create(self, name: str, roles: Iterable[Role]) -> tuple[ApiKey, str]:
        """A new key: its row, and the key itself, which is shown this once and not kept."""
        name = name.strip()
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise DocumentError(
                "name the key's user or device", field="name", value=name, rule=f"1 to {MAX_NAME} printable characters"
            )
        granted = sorted(set(roles))
        if not granted:
            raise DocumentError("give the key at least one role", field="roles", rule="one of " + ", ".join(Role))
        secret = secrets.token_urlsafe(SECRET_BYTES)
        key = ApiKey(
            id="".join(secrets.choice(ID_ALPHABET) for _ in range(8)),
            name=name,
            roles=",".join(granted),
            secret_hash=_hash(secret),
            created_at=int(time.time()),
        )
        with self._database.write() as session:
            session.add(key)
        return key, f"pt_{key.id}_{secret}"

    def all_keys(self) -> list[ApiKey]:
        """All keys, the newest first, revoked ones too."""
        with self._database.read() as session:
            return list(session.exec(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id)))  # type: ignore[attr-defined]

    def revoke(self, key_id: str) -> ApiKey:
        """From now on the key opens nothing. Revoking twice is no error; the first time stands."""
        with self._database.write() as session:
            key = session.get(ApiKey, key_id)
            if key is None:
                raise NotFoundError("there is no such API key", field="id", value=key_id)
            if key.revoked_at is None:
                key.revoked_at = int(time.time())
            return key

    def authenticate(self, text: str) -> Caller:
        """Whose key `text` is; `UnauthorizedError` says no more than that it opens nothing."""
        form = KEY_FORM.fullmatch(text)
        if form is None:
            raise _refused()
        with self._database.read() as session:
            key = session.get(ApiKey, form[1])
        # An unknown id is compared as well, so that the time does not tell whether there is one.
        known = key.secret_hash if key else bytes(32)
        if not hmac.compare_digest(known, _hash(form[2])) or key is None or key.revoked_at is not None:
            raise _refused()
        with self._used_lock:
            self._used[key.id] = int(time.time())
        return Caller(key.id, key.name, key.role_set)

    def record_use(self) -> float:
        """Store when keys were last used; a worker's step. Returns the seconds till the next."""
        with self._used_lock:
            used, self._used = self._used, {}
        if used:
            with self._database.write() as session:
                for key_id, at in used.items():
                    session.exec(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=at))  # type: ignore[arg-type]
        return USE_FLUSH_EVERY


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _refused() -> UnauthorizedError:
    return UnauthorizedError(
        "this API key is not valid (or no longer); ask the gateway's admin for one",
        field="Authorization",
        rule="RFC 6750, 3.1",
    )
