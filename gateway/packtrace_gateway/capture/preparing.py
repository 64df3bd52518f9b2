"""What can be computed of an event without the database: its hash, its tree of items, what is wrong with it itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from packtrace.commit import items, salts
from packtrace.commit.items import ItemTree
from packtrace.epcis.cbv_hash import event_hash
from packtrace.epcis.commissioning import ProductData, product_data
from packtrace.epcis.model import Event
from packtrace.errors import DocumentError
from packtrace.gs1 import expires_at
from packtrace_gateway.capture.corrections import check_declared

# A unit's index has 20 bits on chain (IPackLedger).
MAX_BATCH = 1 << 20
# Devices' clocks are off by minutes; an hour is a wrong time zone.
CLOCK_TOLERANCE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event with all that can be computed of it without the database."""

    event: Event
    field: str
    cbv_hash: str
    product: ProductData | None
    secret: bytes
    tree: ItemTree


class Preparing:
    """Prepares events by a clock."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def prepare(self, event: Event, field: str) -> Prepared:
        """The part that needs no lock. Raises DocumentError, or LifecycleError for what no declaration takes back."""
        latest = written(self._clock() + CLOCK_TOLERANCE)
        if event.error_declaration is not None:
            check_declared(event, event.error_declaration, field, latest)
        if event.event_time > latest:
            raise DocumentError(
                "this event has not happened yet: set the clock of the device that recorded it",
                field=f"{field}eventTime",
                value=event.event_time,
                rule=f"at most {CLOCK_TOLERANCE} ahead of this gateway's clock",
            )
        return self.unchecked(event, field)

    def unchecked(self, event: Event, field: str) -> Prepared:
        """As `prepare`, for an event that this gateway makes itself."""
        try:
            product = product_data(event)
        except DocumentError as error:
            error.field = f"{field}{error.field}"
            raise
        if product is not None and len(event.epcs) > MAX_BATCH:
            raise DocumentError(
                f"a batch has at most {MAX_BATCH} packs; commission them in several events",
                field=f"{field}epcList",
                value=len(event.epcs),
                rule="packtrace: units of a batch",
            )
        if product is not None and expires_at(product.expiry) <= self._clock().timestamp():
            raise DocumentError(
                "these packs are expired already, and the chain takes no such batch: correct the date",
                field=f"{field}ilmd.cbvmda:itemExpirationDate",
                value=product.expiry.isoformat(),
                rule="packtrace: expiry in the future (IPackLedger)",
            )
        secret = salts.new_secret()
        return Prepared(event, field, event_hash(event), product, secret, items.build(items.items_of(event), secret))


def written(time: datetime) -> str:
    """UTC with milliseconds, as in an event."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
