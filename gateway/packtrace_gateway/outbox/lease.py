"""One process owns the outbox of a database: two would give out the same nonces."""

import os
import socket
import time
import uuid
from pathlib import Path

from sqlmodel import Session

from packtrace.errors import PacktraceError
from packtrace_gateway.outbox.models import Lease

NAME = "outbox"
LEASE_SECONDS = 20.0


class LeaseLostError(PacktraceError):
    """Another process owns the outbox now; this one must not sign or send."""


class Ownership:
    """This process's claim to the outbox. Taken and renewed in the database; checked in every write of the worker.

    The lease of a process that is gone from this machine is taken over at once, any other when it runs out. A lease
    that would last longer than leases do was written by a clock that was ahead: it counts as run out.
    """

    def __init__(self) -> None:
        self._machine = f"{socket.gethostname()}/{_boot()}"
        self.owner = f"{self._machine}/{os.getpid()}/{uuid.uuid4().hex}"

    def take(self, session: Session) -> None:
        """Take or renew the lease; `LeaseLostError` while another process has it."""
        lease = session.get(Lease, NAME)
        now = time.time()
        if lease is None:
            lease = Lease(name=NAME, owner=self.owner, expires_at=0)
        elif lease.owner != self.owner and 0 < lease.expires_at - now <= LEASE_SECONDS and not self._gone(lease.owner):
            raise LeaseLostError(
                "another process sends from this database; stop one of the two",
                field="owner",
                value=lease.owner.rpartition("/")[0],
            )
        lease.owner, lease.expires_at = self.owner, now + LEASE_SECONDS
        session.add(lease)

    def check(self, session: Session) -> None:
        """`LeaseLostError` unless the lease is still ours."""
        lease = session.get(Lease, NAME)
        if lease is None or lease.owner != self.owner:
            raise LeaseLostError("another process has taken the outbox over")

    def release(self, session: Session) -> None:
        lease = session.get(Lease, NAME)
        if lease is not None and lease.owner == self.owner:
            session.delete(lease)

    def _gone(self, owner: str) -> bool:
        """Whether the owner was a process of this machine, since it started, that does not run any more."""
        machine, _, rest = owner.rpartition("/")[0].rpartition("/")
        if machine != self._machine or not rest.isdigit():
            return False
        if int(rest) == os.getpid():
            return False  # another worker in this very process
        try:
            os.kill(int(rest), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def _boot() -> str:
    """Names this start of the machine, and the container on it: process numbers mean nothing beyond."""
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{start}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return uuid.uuid4().hex
