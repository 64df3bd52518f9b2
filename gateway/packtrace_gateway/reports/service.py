"""Keeping reports, and sending what they say to the chain."""

import time
from contextlib import suppress
from hashlib import sha256

from sqlalchemy import func, select

from packtrace.errors import DocumentError, LifecycleError
from packtrace.facts import Status
from packtrace.gs1 import sgtin_uri
from packtrace.scan import Scan
from packtrace.verdict import Verdict
from packtrace_gateway.access.models import Caller
from packtrace_gateway.db import Database
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.reports.models import Report, ReportPhoto
from packtrace_gateway.status.service import ON_ACKNOWLEDGEMENT, NotSubmitted, StatusService
from packtrace_gateway.verify.service import VerifyService

MAX_LISTED = 500
MAX_PHOTOS = 5  # of one report: front, back, code, seal, leaflet


class ReportService:
    """Reports of one gateway."""

    def __init__(self, database: Database, verify: VerifyService, status: StatusService) -> None:
        self._database = database
        self._verify = verify
        self._status = status

    def report(self, scan: Scan, text: str, caller: Caller, request: str) -> tuple[Report, Verdict | None]:
        """Keep what was seen, and ask the chain to mark the pack SUSPECT where it is a pack that the chain knows.

        A pack that is not ACTIVE any more is sent as well: the refusal is a conflict, and opens an alert at its holder
        and the regulator. `request` is the client's own name for the report: sent again with it, nothing is done
        twice, and no verdict is given.
        """
        uri = sgtin_uri(scan.gtin, scan.serial)
        known = self._requested(request, uri)
        if known is not None:
            return known, None
        verdict = self._verify.verify(scan).verdict
        operation = None
        acknowledged = verdict.headline.value if verdict.headline in ON_ACKNOWLEDGEMENT else None
        with suppress(NotSubmitted):  # of no pack that the chain knows: that report stays here
            operation, _ = self._status.change([scan], Status.SUSPECT, caller, acknowledged, request)
        report = Report(
            time=int(time.time()),
            author=caller.name,
            uri=uri,
            lot=scan.lot,
            expiry=scan.expiry.isoformat() if scan.expiry else None,
            verdict=verdict.words,
            unit=verdict.unit,
            text=text,
            operation=operation,
            request=request,
        )
        with self._database.write() as session:
            session.add(report)
        return report, verdict

    def add_photo(self, number: int, content: bytes, media_type: str, caller: Caller) -> ReportPhoto:
        """Keep a photo with a report; the same one again is kept once. Raises LifecycleError for too many."""
        found = ReportPhoto(
            report=number,
            time=int(time.time()),
            author=caller.name,
            type=media_type,
            hash=sha256(content).digest(),
            content=content,
        )
        with self._database.write() as session:
            if session.get(Report, number) is None:
                raise _unknown(number)
            kept = session.execute(select(ReportPhoto).where(ReportPhoto.report == number)).scalars().all()  # type: ignore[arg-type]
            same: ReportPhoto | None = next((photo for photo in kept if photo.hash == found.hash), None)
            if same is not None:
                return same
            if len(kept) >= MAX_PHOTOS:
                raise LifecycleError(f"a report has at most {MAX_PHOTOS} photos", field="number", value=number)
            session.add(found)
        return found

    def all(self, before: int | None, limit: int) -> list[tuple[Report, int]]:
        """Reports with their numbers of photos, the newest first; `before` is the last number of the page before."""
        photos = (
            select(func.count()).select_from(ReportPhoto).where(ReportPhoto.report == Report.number).scalar_subquery()  # type: ignore[arg-type]
        )
        query = select(Report, photos).order_by(Report.number.desc()).limit(limit)  # type: ignore
        if before is not None:
            query = query.where(Report.number < before)  # type: ignore
        with self._database.read() as session:
            return [(report, count) for report, count in session.execute(query)]

    def one(self, number: int) -> tuple[Report, list[tuple[int, str, bytes]]]:
        """A report, and of each photo its id, type and hash. Raises NotFoundError."""
        query = (
            select(ReportPhoto.id, ReportPhoto.type, ReportPhoto.hash)  # type: ignore
            .where(ReportPhoto.report == number)
            .order_by(ReportPhoto.id)
        )
        with self._database.read() as session:
            report = session.get(Report, number)
            if report is None:
                raise _unknown(number)
            return report, [(row[0], row[1], row[2]) for row in session.execute(query)]

    def photo(self, number: int, photo: int) -> ReportPhoto:
        """One photo. Raises NotFoundError."""
        with self._database.read() as session:
            found = session.get(ReportPhoto, photo)
        if found is None or found.report != number:
            raise NotFoundError("this report has no such photo", field="photo", value=photo)
        return found

    def _requested(self, request: str, uri: str) -> Report | None:
        with self._database.read() as session:
            found = session.execute(select(Report).where(Report.request == request)).scalar()  # type: ignore[arg-type]
        if found is not None and found.uri != uri:
            raise DocumentError(
                "another report has this name; give each one of its own", field="request", value=request
            )
        return found


def _unknown(number: int) -> NotFoundError:
    return NotFoundError("there is no such report", field="number", value=number)
