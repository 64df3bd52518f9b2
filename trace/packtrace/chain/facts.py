"""Reads what a verdict needs from the node that the verifier names. The facts themselves are in `packtrace.facts`.

All facts of one answer are of one block: first the block is asked, then everything else at its hash (EIP-1898). Both
in one HTTP request would be quicker and wrong: a node may answer the parts of a batch in any order (JSON-RPC 2.0,
section 6), so the facts could be of another block than the one beside them.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeVar

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import BlockId, Call, Node
from packtrace.facts import (
    BatchFacts,
    BatchSigner,
    BatchState,
    Block,
    CustodyState,
    EntryFacts,
    Facts,
    KeyFacts,
    LogisticFacts,
    PartyFacts,
    Recall,
    Status,
    StatusChange,
    UnitFacts,
)
from packtrace.receipt import REFUSED, UNIT_BYTES, Receipt

MAX_REMEMBERED = 100_000
"""Log entries, and products, that are kept in memory: a few hundred bytes each."""
SECONDS_A_DAY = 86_400
RECEIPT_TYPE = "(bytes32,uint32,uint8,uint40,bytes32,bytes,bytes)"

K = TypeVar("K", bound=Hashable)

EntryKey = tuple[int, int, int]
"""A log entry's party, lane and sequence."""
Finality = Literal["finalized"] | int
"""What counts as final: the chain's own `finalized` tag, or so many blocks on top (for a chain without one)."""


@dataclass(frozen=True, slots=True)
class View:
    """The chain as it is read: the block that all facts are of, and the newest final one (else the first of all)."""

    block: Block
    final: Block
    generation: int


@dataclass(frozen=True, slots=True)
class Product:
    """A registered product: its number on chain and the company number of its marketing authorisation holder."""

    number: int
    mah: int


class ChainReader:
    """Facts from `node` about `deployment`. Safe to share between threads.

    Each method reads at the `view` that the caller gives, and at a fresh one of the newest block without it. What is
    not on chain is absent from an answer (or None), never zero. What never changes once it is final (log entries, a
    product's key) is remembered, and forgotten when the chain turns out to have lost final blocks.
    """

    def __init__(self, node: Node, deployment: Deployment, finality: Finality = "finalized") -> None:
        self.node = node
        self.deployment = deployment
        self.finality = finality
        self._lock = threading.Lock()
        self._entries: dict[EntryKey, EntryFacts] = {}
        self._product_keys: dict[int, bytes] = {}
        self._known_final: Block | None = None
        self._generation = 0

    # ---- the block ----

    def view(self, block: BlockId = "latest") -> View:
        """The chain as of `block`; one HTTP request (two where finality is a number of blocks)."""
        known = self._known_final
        asked: list[BlockId] = [block, known.number if known else 0]
        if self.finality == "finalized":
            asked.append("finalized")
        found, still, *tagged = self.node.blocks(asked)
        newest = found or self.node.block(block)  # raises the node's reason
        final = tagged[0] if tagged else None
        if isinstance(self.finality, int) and newest.number >= self.finality:
            (final,) = self.node.blocks([newest.number - self.finality])
        if final is None or self.node.disagreement:
            final = self.node.block(0)  # a young chain, or nodes that disagree: nothing but the beginning is final
        with self._lock:
            if known and known == self._known_final and still != known:
                self._forget()
            if known == self._known_final:
                self._known_final = final
            return View(newest, final, self._generation)

    def _forget(self) -> None:
        self._entries.clear()
        self._product_keys.clear()
        self._generation += 1

    # ---- facts ----

    def facts(
        self,
        *,
        unit: int | None = None,
        change: Receipt | None = None,
        entries: Iterable[EntryKey] = (),
        parties: Iterable[int] = (),
        keys: Iterable[str] = (),
        logistic: Iterable[int] = (),
        gtin_hash: bytes | None = None,
        view: View | None = None,
    ) -> Facts:
        """All that one verdict asks, in two HTTP requests (three for the first unit of a product, or a new log entry).

        `change` is the receipt that somebody says gave the unit its status; the answer has it only if the chain
        confirms it. The keys that signed the log entries are asked as well, and never remembered: each may be
        revoked any time.
        """
        view = view or self.view()
        wanted, numbers = _distinct(entries), _distinct(parties)
        known = self._remembered(wanted, view)
        missing = [key for key in wanted if key not in known]
        addresses, units = _distinct([*keys, *_signers(known)]), _distinct(logistic)
        found = self._ask(
            [
                [_entry(key) for key in missing],
                [_party(number) for number in numbers],
                [_key(address, view.block) for address in addresses],
                [_logistic(number) for number in units],
                [] if unit is None else [_unit(unit)],
                [] if unit is None or change is None else [_change(unit, change)],
                [] if gtin_hash is None else [_mah(gtin_hash)],
            ],
            view,
        )
        entries_ = known | self._remember(_present(missing, found[0]), view)
        signers = [key for key in _signers(entries_) if key not in addresses]
        unit_facts, signed = self._second(found[4], signers, view)
        return Facts(
            chain_id=self.deployment.chain_id,
            block=view.block,
            final_block=view.final.number,
            final_time=view.final.timestamp,
            entries=entries_,
            parties=_present(numbers, found[1]),
            keys=_present(addresses, found[2]) | signed,
            logistic=_present(units, found[3]),
            unit=unit_facts[0] if unit_facts else None,
            change=found[5][0] if found[5] else None,
            mah_of_gtin=found[6][0] if found[6] else None,
        )

    def unit_facts(self, unit: int, view: View | None = None) -> UnitFacts | None:
        """A unit's status, batch and recall; None where its batch is not on chain."""
        return self.units_facts([unit], view).get(unit)

    def units_facts(self, units: Iterable[int], view: View | None = None) -> dict[int, UnitFacts]:
        """Many units' facts, by unit number."""
        view, wanted = view or self.view(), _distinct(units)
        (found,) = self._ask([[_unit(unit) for unit in wanted]], view)
        return _present(wanted, self._second(found, (), view)[0])

    def log_entries(self, entries: Iterable[EntryKey], view: View | None = None) -> dict[EntryKey, EntryFacts]:
        """Entries of event logs, by (party, lane, sequence)."""
        view, wanted = view or self.view(), _distinct(entries)
        known = self._remembered(wanted, view)
        missing = [key for key in wanted if key not in known]
        (found,) = self._ask([[_entry(key) for key in missing]], view)
        return known | self._remember(_present(missing, found), view)

    def parties(self, parties: Iterable[int], view: View | None = None) -> dict[int, PartyFacts]:
        """Parties and their profiles, by party number."""
        return self._read(parties, _party, view)

    def keys(self, keys: Iterable[str], view: View | None = None) -> dict[str, KeyFacts]:
        """Keys, by the addresses that were asked."""
        view = view or self.view()
        block = view.block
        return self._read(keys, lambda key: _key(key, block), view)

    def logistic_units(self, numbers: Iterable[int], view: View | None = None) -> dict[int, LogisticFacts]:
        """Logistic units, by their numbers on chain."""
        return self._read(numbers, _logistic, view)

    def product(self, product_key: bytes, view: View | None = None) -> Product | None:
        """A product by its keyed hash; None where nobody registered it."""
        return self._read([product_key], _product, view).get(product_key)

    def mah_of_gtin(self, gtin_hash: bytes, view: View | None = None) -> int | None:
        """Company number of a GTIN's marketing authorisation holder; None where nobody listed the GTIN."""
        return self._read([gtin_hash], _mah, view).get(gtin_hash)

    def receipt_hash(self, receipt: bytes, view: View | None = None) -> bytes | None:
        """The hash of a status change's receipt, by its id; None where the chain knows no such call."""
        return self._read([receipt], _receipt_hash, view).get(receipt)

    def status_change(self, unit: int, receipt: Receipt, view: View | None = None) -> StatusChange | None:
        """The change of `unit` that `receipt` tells of, if the chain confirms it and it was not taken back since."""
        return self.status_changes({unit: receipt}, view).get(unit)

    def status_changes(self, receipts: Mapping[int, Receipt], view: View | None = None) -> dict[int, StatusChange]:
        """Many units' changes, by unit number."""
        return self._read(receipts, lambda unit: _change(unit, receipts[unit]), view)

    # ---- inside ----

    def _read(self, keys: Iterable[K], question: "Callable[[K], _Question]", view: View | None) -> dict[K, Any]:
        wanted = _distinct(keys)
        (found,) = self._ask([[question(key) for key in wanted]], view or self.view())
        return _present(wanted, found)

    def _ask(self, groups: "Sequence[Sequence[_Question]]", view: View) -> list[list[Any]]:
        """Every question's answer, in one HTTP request at the view's block, in the same groups."""
        calls = [call for group in groups for question in group for call in question.calls]
        values = iter(self.node.calls(self.deployment, calls, view.block) if calls else ())
        return [[question.meaning(*(next(values) for _ in question.calls)) for question in group] for group in groups]

    def _remembered(self, entries: Iterable[EntryKey], view: View) -> dict[EntryKey, EntryFacts]:
        """Those that are known, and were there before the view's block."""
        with self._lock:
            known = {key: self._entries[key] for key in entries if key in self._entries}
        return {key: entry for key, entry in known.items() if entry.time < view.block.timestamp}

    def _remember(self, entries: dict[EntryKey, EntryFacts], view: View) -> dict[EntryKey, EntryFacts]:
        """Keep those entries that are final: of an earlier block than the newest final one."""
        with self._lock:
            if view.generation == self._generation:
                for key, entry in entries.items():
                    if entry.time < view.final.timestamp:
                        _keep(self._entries, key, entry)
        return entries

    def _second(
        self, units: "Sequence[tuple[UnitFacts, int] | None]", signers: Sequence[str], view: View
    ) -> tuple[list[UnitFacts | None], dict[str, KeyFacts]]:
        """What the first answers lead to, in one more HTTP request if any: the units with their products' keys, which
        stand in the registry under the product's number, and the keys that signed the log entries.
        """
        numbers = {number for _, number in filter(None, units)}
        with self._lock:
            keys = {number: self._product_keys[number] for number in numbers if number in self._product_keys}
        asked = sorted(numbers - keys.keys())
        products, signed = self._ask(
            [[_product_key(number) for number in asked], [_key(signer, view.block) for signer in signers]], view
        )
        keys |= zip(asked, products, strict=True)
        with self._lock:
            for facts, number in filter(None, units):
                # A batch names a registered product: where the batch is final, so is the product.
                if view.generation == self._generation and facts.batch.proposed_at < view.final.timestamp:
                    _keep(self._product_keys, number, keys[number])
        whole = [unit and replace(unit[0], batch=replace(unit[0].batch, product_key=keys[unit[1]])) for unit in units]
        return whole, _present(signers, signed)


# ---- questions: calls, and what their answers mean (None: it is not on chain) ----


class _Question(NamedTuple):
    calls: list[Call]
    meaning: Callable[..., Any]


def _entry(key: EntryKey) -> _Question:
    def meaning(entry: dict[str, Any]) -> EntryFacts | None:
        return EntryFacts(**entry) if entry["count"] else None

    return _Question([Call("EventLog", "entryOf", key)], meaning)


def _party(number: int) -> _Question:
    def meaning(party: dict[str, Any], profile: dict[str, Any], licensed: bool) -> PartyFacts | None:
        if not party["company"]:
            return None
        return PartyFacts(
            company=party["company"],
            roles=party["roles"],
            licensed=licensed,
            name=profile["name"],
            endpoint=profile["endpoint"],
            gln_commitment=profile["glnCommitment"],
        )

    return _Question([Call("PartyRegistry", f, [number]) for f in ("partyOf", "profileOf", "isLicensed")], meaning)


def _key(address: str, block: Block) -> _Question:
    def meaning(key: dict[str, Any]) -> KeyFacts | None:
        if not key["party"]:
            return None
        stopped = key["revokedAt"] or key["suspended"]
        valid = key["validFrom"] <= block.timestamp < key["validUntil"] and not stopped
        return KeyFacts(key["party"], key["purposes"], valid, key["compromisedSince"])

    return _Question([Call("PartyRegistry", "keyOf", [to_checksum_address(address)])], meaning)


def _logistic(number: int) -> _Question:
    def meaning(unit: dict[str, Any], content: bytes) -> LogisticFacts | None:
        state = CustodyState(unit["state"])
        if state is CustodyState.NONE:
            return None
        return LogisticFacts(state, unit["holder"], unit["receiver"], unit["parent"], content, unit["since"])

    return _Question([Call("CustodyLedger", f, [number]) for f in ("unitOf", "contentOf")], meaning)


def _unit(number: int) -> _Question:
    """Means a pair: the facts without the product's key, and the product's number."""

    def meaning(facts: tuple[Any, ...]) -> tuple[UnitFacts, int] | None:
        status, batch, recall, recalled_at, twin, proposer, releaser = facts
        state = BatchState(batch["state"])
        if state is BatchState.NONE:
            return None
        found = BatchFacts(
            item_root=batch["itemRoot"],
            lot_key=batch["lotKey"],
            product_key=b"",
            mah=batch["mah"],
            count=batch["count"],
            expires_at=batch["expiryDay"] * SECONDS_A_DAY,
            proposed_at=batch["proposedAt"],
            released_at=batch["releasedAt"],
            state=state,
            proposer=BatchSigner(proposer["key"], proposer["compromisedSince"]),
            releaser=BatchSigner(releaser["key"], releaser["compromisedSince"]) if batch["releaser"] else None,
        )
        return UnitFacts(Status(status), found, Recall(recall), recalled_at, twin or None), batch["product"]

    return _Question([Call("PackLedger", "factsOf", [number])], meaning)


def _change(unit: int, receipt: Receipt) -> _Question:
    """IPackLedger.receiptHash: keccak256(abi.encode(receipt)); bit i of reversedOf is the receipt's unit i."""
    claimed = receipt_hash_of(receipt)
    numbers = (receipt.units[at : at + UNIT_BYTES] for at in range(0, len(receipt.units), UNIT_BYTES))
    outcomes = enumerate(zip(numbers, receipt.outcomes, strict=False))
    wanted = unit.to_bytes(UNIT_BYTES)
    changed = [position for position, (number, outcome) in outcomes if number == wanted and outcome < REFUSED]

    def meaning(known: bytes, reversed_: int) -> StatusChange | None:
        standing = known == claimed and any(not reversed_ >> position & 1 for position in changed)
        return receipt.change() if standing else None

    return _Question([Call("PackLedger", f, [receipt.id]) for f in ("receiptHash", "reversedOf")], meaning)


def _product(key: bytes) -> _Question:
    def meaning(found: tuple[int, int]) -> Product | None:
        return Product(*found) if found[0] else None

    return _Question([Call("PartyRegistry", "productOf", [key])], meaning)


def _product_key(number: int) -> _Question:
    return _Question([Call("PartyRegistry", "productKeyOf", [number])], lambda found: found[0])


def _mah(gtin_hash: bytes) -> _Question:
    return _Question([Call("PartyRegistry", "mahOfGtin", [gtin_hash])], lambda mah: mah or None)


def _receipt_hash(receipt: bytes) -> _Question:
    return _Question([Call("PackLedger", "receiptHash", [receipt])], lambda found: found if any(found) else None)


def receipt_hash_of(receipt: Receipt) -> bytes:
    """What the chain keeps of a receipt: keccak256(abi.encode(receipt)) (IPackLedger.receiptHash)."""
    return keccak(encode([RECEIPT_TYPE], [tuple(receipt.arguments().values())]))


def _signers(entries: Mapping[EntryKey, EntryFacts]) -> list[str]:
    return _distinct(entry.key for entry in entries.values())


def _distinct(keys: Iterable[K]) -> list[K]:
    return list(dict.fromkeys(keys))


def _present(keys: Iterable[K], answers: Iterable[Any]) -> dict[K, Any]:
    return {key: answer for key, answer in zip(keys, answers, strict=True) if answer is not None}


def _keep(memory: dict[K, Any], key: K, value: Any) -> None:
    """Remember, and forget the oldest of too many."""
    memory[key] = value
    if len(memory) > MAX_REMEMBERED:
        del memory[next(iter(memory))]
