"""From a scanned pack to a verdict of our own: proofs from the gateway, facts from our node, judged here.

The gateway is asked for material only. Its own verdict is not looked at.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import orjson

from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.gather import gather
from packtrace.chain.node import Node
from packtrace.commit.pedigree import MAX_BYTES
from packtrace.errors import ChainError, EvidenceError, IdentifierError, PacktraceError
from packtrace.evidence import examine
from packtrace.facts import Facts
from packtrace.gs1 import ElementString, separators
from packtrace.material import Material
from packtrace.scan import Place, Scan, pack_of
from packtrace.verdict import Headline, Verdict, judge
from packtrace_scanner.reading import ScannedPack
from packtrace_scanner.settings import Settings, SettingsError

GATEWAY_TIMEOUT = 10.0
"""Seconds. The gateway may have to ask the marketing authorisation holder's first."""

MAX_KEY_BYTES = 1 << 10
MOST_MERGED = 8
"""Other readings of a code that are looked up."""


class GatewayError(PacktraceError):
    """The gateway did not answer, or refused."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A verdict, and who could not be asked and why.

    `merged` is a pack that is known, and that the scan would be if the scanner had lost the separators in it.
    """

    verdict: Verdict
    notes: tuple[str, ...]
    merged: ElementString | None = None

    @property
    def authentic(self) -> bool:
        """Whether all checks were made and passed."""
        return self.verdict.headline is Headline.AUTHENTIC


class Verifier:
    """Verifies packs with one gateway and one node. Raises SettingsError or ChainError for what cannot be used."""

    def __init__(self, settings: Settings) -> None:
        gateway, key, place = settings.gateway, settings.api_key_file, settings.place
        node, deployment = settings.node, settings.deployment
        if gateway is None or key is None or node is None or deployment is None or place is None:
            raise SettingsError("to verify a pack, this is needed too", field=", ".join(settings.missing))
        if not gateway.startswith(("http://", "https://")):
            raise SettingsError("not the address of a gateway", field="gateway", value=gateway, rule="a URL")
        self._place = Place(place)
        contracts = Deployment.load(deployment)
        self._network = contracts.network
        self._reader = ChainReader(Node(node), contracts)
        headers = {"Authorization": f"Bearer {read_api_key(key)}"}
        self._gateway = httpx.Client(base_url=gateway, headers=headers, timeout=GATEWAY_TIMEOUT)

    def close(self) -> None:
        """Close the connection to the gateway."""
        self._gateway.close()

    def verify(self, scan: Scan) -> Verified:
        """The verdict on a pack. Who does not answer is named in the notes, and the verdict says what was not checked.

        Raises GatewayError where the gateway refuses the API key.
        """
        notes: list[str] = []
        material, unreadable = Material(()), None
        try:
            material = self._material(scan)
        except httpx.HTTPError as error:
            notes.append(f"the gateway did not answer: {str(error) or type(error).__name__}")
        except EvidenceError as error:
            unreadable = f"what the gateway gave: {error}"
        evidence = examine(scan, material.disclosures)
        if unreadable:
            evidence = replace(evidence, broken=(*evidence.broken, unreadable))
        facts: Facts | None = None
        try:
            facts = gather(self._reader, scan, evidence, material.answer, material.receipt)
        except ChainError as error:
            notes.append(f"the node: {error}")
        verdict = judge(scan, evidence, material.answer, facts, self._place, int(time.time()))
        return Verified(verdict, tuple(notes))

    def verify_pack(self, pack: ScannedPack) -> Verified:
        """As `verify`; where nothing is known of the pack, its code may be of another one, with separators lost."""
        verified = self.verify(pack.scan)
        if verified.verdict.history:
            return verified
        for scan, elements in islice(_packs(separators.merged(pack.elements)), MOST_MERGED):
            if self.verify(scan).verdict.history:
                return replace(verified, merged=elements)
        return verified

    def _material(self, scan: Scan) -> Material:
        asked = {
            "gtin": scan.gtin,
            "serial": scan.serial,
            "lot": scan.lot,
            "expiry": scan.expiry.isoformat() if scan.expiry else None,
        }
        with self._gateway.stream("POST", "/verify", params={"material": "true"}, json=asked) as answer:
            body = _bounded(answer)
        plain = _json(body)
        if answer.status_code != httpx.codes.OK:
            detail = plain.get("detail") or plain.get("title") or answer.reason_phrase
            if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise httpx.HTTPError(f"{answer.status_code} {detail}")
            raise GatewayError(f"the gateway refused: {detail}", field="gateway", value=self._gateway.base_url.host)
        return Material.from_json(plain.get("material", {}), self._network, scan)


def _packs(readings: Iterable[ElementString]) -> Iterator[tuple[Scan, ElementString]]:
    """Those of the readings that are a pack's."""
    for elements in readings:
        with suppress(IdentifierError):
            yield pack_of(elements), elements


def _bounded(answer: httpx.Response) -> bytes:
    """The answer's body. Raises EvidenceError where it is longer than a pedigree can be."""
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise EvidenceError("longer than a pedigree can be", rule=f"{MAX_BYTES} bytes")
    return bytes(body)


def _json(body: bytes) -> dict[str, Any]:
    try:
        plain = orjson.loads(body)
    except orjson.JSONDecodeError:
        plain = None
    return plain if isinstance(plain, dict) else {}


def read_api_key(path: Path) -> str:
    """The API key in a file. Raises SettingsError."""
    try:
        with path.open("rb") as file:
            key = file.read(MAX_KEY_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the API key cannot be read: {error}", field=str(path)) from error
    if not key or not key.isprintable() or " " in key:
        raise SettingsError("this file holds no API key; put the key alone into it", field=str(path))
    return key
