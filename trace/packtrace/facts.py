"""Facts that a verifier reads from the chain, through a node that the verifier names. Plain data; see `chain.facts`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

INDEX_BITS = 20
BATCH_BITS = 22
LOGISTIC_BITS = 42
# A shipment can be received this long, in seconds of the chain's time (ICustodyLedger.HANDOVER_PERIOD).
HANDOVER_PERIOD = 30 * 86_400
PURPOSE_OPERATE = 1  # what a key may sign: event log, status, custody, exchange (IPartyRegistry)


class Status(IntEnum):
    """Status of a unit on chain (contracts/interfaces/Types.sol)."""

    ACTIVE = 0
    SUPPLIED = 1
    DESTROYED = 2
    EXPORTED = 3
    SAMPLED = 4
    FREE_SAMPLE = 5
    STOLEN = 6
    LOCKED = 7
    SUSPECT = 8


class Refusal(IntEnum):
    """Why the chain left a unit as it was (contracts/interfaces/Types.sol)."""

    NONE = 0
    UNKNOWN_UNIT = 1
    NOT_RELEASED = 2
    WRONG_STATUS = 3
    EXPIRED = 4
    RECALLED = 5
    NOT_ALLOWED = 6
    NOT_CHANGED_HERE = 7
    ALREADY_REVERSED = 8
    DUPLICATE = 9


class BatchState(IntEnum):
    """State of a commissioned batch (contracts/interfaces/IPackLedger.sol)."""

    NONE = 0
    PROPOSED = 1
    RELEASED = 2
    WITHDRAWN = 3


class Recall(IntEnum):
    """Recall of a lot or batch (contracts/interfaces/IRecallBoard.sol)."""

    NONE = 0
    WITHDRAWN = 1
    RECALLED = 2


class CustodyState(IntEnum):
    """State of a logistic unit (contracts/interfaces/ICustodyLedger.sol)."""

    NONE = 0
    HELD = 1
    IN_TRANSIT = 2
    UNPACKED = 3


@dataclass(frozen=True, slots=True)
class Block:
    """The block that facts were read at; `timestamp` is unix time."""

    number: int
    hash: bytes
    timestamp: int
    parent_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """An entry of a party's event log; `key` is the address that signed it."""

    root: bytes
    count: int
    time: int
    key: str


@dataclass(frozen=True, slots=True)
class BatchSigner:
    """A key (an address) that signed for a batch, and since when it is compromised (unix time, 0 for never)."""

    key: str
    compromised_since: int = 0

    def believed(self, time: int) -> bool:
        """Whether what the key signed at that time is to be believed; see `KeyFacts`."""
        return not self.compromised_since or time < self.compromised_since


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """A commissioned batch as the chain holds it; times are unix times, 0 for never.

    `releaser` is None where nobody has released it.
    """

    item_root: bytes
    lot_key: bytes
    product_key: bytes
    mah: int
    count: int
    expires_at: int
    proposed_at: int
    released_at: int
    state: BatchState
    proposer: BatchSigner
    releaser: BatchSigner | None = None


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """One unit: its status, its batch, and the graver recall of its lot and batch.

    `twin` is the unit that was proven to have the same serial, None unless this one is flagged for that.
    """

    status: Status
    batch: BatchFacts
    recall: Recall
    recalled_at: int
    twin: int | None = None


@dataclass(frozen=True, slots=True)
class PartyFacts:
    """A premises (or company, when `company` is its own number); the name is empty where it is not public."""

    company: int
    roles: int
    licensed: bool
    name: str
    endpoint: str
    gln_commitment: bytes


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key: the party that it speaks for, and whether it does so at the block that was asked.

    What a key signed at or after `compromised_since` (unix time, 0 for never) is not to be believed.
    """

    party: int
    purposes: int
    valid: bool
    compromised_since: int = 0

    def believed(self, time: int) -> bool:
        """Whether what the key anchored at that time (of the block, not one that a party claims) is to be believed."""
        return not self.compromised_since or time < self.compromised_since


@dataclass(frozen=True, slots=True)
class LogisticFacts:
    """A logistic unit; holder and state are the outermost parent's while it is inside one.

    `since` is the unix time of the last change of its own record.
    """

    state: CustodyState
    holder: int
    receiver: int
    parent: int
    content: bytes
    since: int = 0

    def expired(self, time: int) -> bool:
        """Whether this outermost unit is on its way, and cannot be received any more in a block of that time."""
        return self.state is CustodyState.IN_TRANSIT and time > self.since + HANDOVER_PERIOD


@dataclass(frozen=True, slots=True)
class StatusChange:
    """The call that gave a unit its status: its receipt, which the chain confirms, and when."""

    receipt: bytes
    party: int
    to: Status
    time: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a verdict needs from the chain, read at one block. What was asked and is not there is absent.

    `final_time` is the unix time of the newest final block: what is older than that stays.
    """

    chain_id: int
    block: Block
    final_block: int
    final_time: int = 0
    entries: Mapping[tuple[int, int, int], EntryFacts] = field(default_factory=dict)
    unit: UnitFacts | None = None
    change: StatusChange | None = None
    parties: Mapping[int, PartyFacts] = field(default_factory=dict)
    logistic: Mapping[int, LogisticFacts] = field(default_factory=dict)
    keys: Mapping[str, KeyFacts] = field(default_factory=dict)
    mah_of_gtin: int | None = None


def unit_number(batch: int, index: int) -> int:
    """A unit's number on chain: batch (44 bits) ‖ index (20 bits)."""
    return batch << INDEX_BITS | index


def batch_number(party: int, number: int) -> int:
    """A batch's number on chain: proposing party (22 bits) ‖ that party's own number (22 bits)."""
    return party << BATCH_BITS | number


def logistic_number(party: int, number: int) -> int:
    """A logistic unit's number on chain: creating party (22 bits) ‖ that party's own number (42 bits)."""
    return party << LOGISTIC_BITS | number


def batch_of_unit(unit: int) -> int:
    return unit >> INDEX_BITS


def index_of_unit(unit: int) -> int:
    return unit & ((1 << INDEX_BITS) - 1)


def party_of_batch(batch: int) -> int:
    return batch >> BATCH_BITS
