"""The seal: a batch of events under one root, which its party appends to its own log on chain.

The tree is RFC 9162's over the event digests. Party, lane and sequence name the entry; the chain holds root and count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from packtrace.commit import merkle

# Events that one seal may hold; a path then has at most 20 nodes.
MAX_EVENTS = 1 << 20
# Lanes and sequences have 64 bits on chain (IEventLog).
MAX_LOG_NUMBER = 1 << 64


@dataclass(frozen=True, slots=True)
class SealProof:
    """That an event is in a sealed batch: where the log entry is, where the event stands in it, and the path."""

    party: int
    lane: int
    sequence: int
    count: int
    index: int
    path: tuple[bytes, ...]

    @property
    def entry(self) -> tuple[int, int, int]:
        """Party, lane and sequence: the key of the log entry on chain."""
        return self.party, self.lane, self.sequence

    def root(self, digest: bytes) -> bytes:
        """The root that the log entry must have. Raises EvidenceError when the path does not fit the count."""
        return merkle.root_from_path(self.count, self.index, merkle.leaf_hash(digest), self.path)


def seal_root(digests: Sequence[bytes]) -> bytes:
    """Root over a batch's event digests."""
    return merkle.root([merkle.leaf_hash(digest) for digest in digests])


def seal_paths(digests: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """The path of every event in the batch."""
    leaves = [merkle.leaf_hash(digest) for digest in digests]
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(merkle.level_above(levels[-1]))
    paths = []
    for index in range(len(leaves)):
        path = []
        at = index
        for level in levels[:-1]:
            if at ^ 1 < len(level):
                path.append(level[at ^ 1])
            at >>= 1
        paths.append(tuple(path))
    return paths
