"""The calls to the chain that captured events make, queued in the transaction that stores the events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from packtrace.product import Product
from packtrace_gateway.access.models import Caller
from packtrace_gateway.events.models import LogisticUnit
from packtrace_gateway.outbox.service import Outbox

# Registrations and children in one call: at about 90,000 gas for a case, far below the cap of EIP-7825.
MOST_REGISTRATIONS = 64
MOST_NUMBERS = 128


@dataclass(slots=True)
class LedgerCalls:
    """Collects registrations of logistic units, so that a hundred cases make two calls, not a hundred.

    Any other call flushes them first: calls of one lane reach the chain in the order in which they were queued.
    """

    outbox: Outbox
    session: Session
    caller: Caller | None = None  # who ordered them, where a person did
    _registrations: list[dict[str, Any]] = field(default_factory=list)
    _children: int = 0

    def propose(self, batch: int, product: Product, item_root: bytes, count: int, expires_at: int) -> int:
        proposal = {
            "batch": batch,
            "productKey": product.product_key,
            "lotKey": product.lot_key,
            "itemRoot": item_root,
            "count": count,
            "expiresAt": expires_at,
        }
        return self.outbox.enqueue(
            self.session,
            contract="PackLedger",
            function="propose",
            args=[proposal],
            key="line",
            reference=f"batch:{batch}",
            caller=self.caller,
        )

    def register(self, number: int, commitment: bytes, item_root: bytes, count: int, children: Sequence[int]) -> None:
        if len(self._registrations) == MOST_REGISTRATIONS or self._children + len(children) > MOST_NUMBERS:
            self.flush()
        self._registrations.append(
            {
                "number": number,
                "ssccCommitment": commitment,
                "contentRoot": item_root,
                "count": count,
                "children": list(children),
            }
        )
        self._children += len(children)

    def custody(self, function: str, units: Sequence[LogisticUnit], *more: Any, reference: str) -> list[int]:
        """ship, receiveShipment, unpack, … of units whose numbers are known; the ids of the rows."""
        self.flush()
        numbers = [int(unit.number) for unit in units if unit.number is not None]
        return [
            self.outbox.enqueue(
                self.session,
                contract="CustodyLedger",
                function=function,
                args=[numbers[at : at + MOST_NUMBERS], *more],
                key="operate",
                reference=reference,
                caller=self.caller,
            )
            for at in range(0, len(numbers), MOST_NUMBERS)
        ]

    def receive_partly(self, unit: LogisticUnit, missing: Sequence[LogisticUnit], *, reference: str) -> int:
        """Receive a unit but for what is missing in it; the id of the row."""
        self.flush()
        return self.outbox.enqueue(
            self.session,
            contract="CustodyLedger",
            function="receivePartly",
            args=[int(unit.number or 0), [int(one.number or 0) for one in missing]],
            key="operate",
            reference=reference,
            caller=self.caller,
        )

    def flush(self) -> None:
        if self._registrations:
            self.outbox.enqueue(
                self.session,
                contract="CustodyLedger",
                function="register",
                args=[self._registrations],
                key="operate",
                reference="register",
                caller=self.caller,
            )
        self._registrations, self._children = [], 0
