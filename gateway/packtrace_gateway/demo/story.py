"""The good half of the day: one lot from the line to two pharmacies, act by act."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from packtrace.gs1 import sgtin_uri, sscc_of_uri, sscc_uri
from packtrace.gs1.keys import make_sscc
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.client import Client
from packtrace_gateway.demo.companies import (
    AUTHORITY,
    COMPANIES,
    COMPANY_PREFIX,
    GTIN,
    MAKER,
    PHARMACY_A,
    PHARMACY_B,
    WHOLESALE,
    Company,
)
from packtrace_gateway.demo.network import Network, Running, scanner_config
from packtrace_gateway.demo.telling import Telling
from packtrace_gateway.labels.drawing import to_png
from packtrace_gateway.labels.logistic import LogisticLabel, logistic_drawing
from packtrace_gateway.labels.pack import PackLabel, pack_drawing
from packtrace_gateway.labels.sheet import sheets

LOT, EXPIRY, EXPIRY_YYMMDD = "AP2611A", "2029-10-31", "291031"
# A national number as some markets want it on the pack: AI 710 is Germany's PZN.
NATIONAL = ("710", "03752864")
CASES, PALLETS = 100, 2
# The first pages of the label sheets: enough to see, without drawing 10,000 labels.
SHEET_LABELS = 60
ON_THE_WAY = ("queued", "signed", "broadcast")


@dataclass(slots=True)
class Lot:
    """A lot as it was packed: packs by case, cases by pallet; all as canonical URIs."""

    lot: str
    serials: list[str] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    pallets: list[str] = field(default_factory=list)
    in_case: dict[str, list[str]] = field(default_factory=dict)
    on_pallet: dict[str, list[str]] = field(default_factory=dict)
    batch: int = 0

    def code(self, serial: str, *, expiry: str = EXPIRY_YYMMDD) -> str:
        """What a scanner sends for a pack of the lot."""
        return f"]d201{GTIN}17{expiry}10{self.lot}\x1d21{serial}"


class Story:
    """The acts on one network, and what they are made of."""

    def __init__(self, network: Network, console: Console, units: int) -> None:
        self.network = network
        self.tell = Telling(console)
        self.units = units
        self._next_sscc = 1

    # ---- the acts ----

    def set_up(self) -> None:
        """Devnet, contracts, gateways, who is who."""
        network, tell = self.network, self.tell
        tell.act("A network of five companies")
        with tell.progress("starting the devnet and putting the contracts on it"):
            network.start_chain()
        tell.fact(f"devnet at {network.devnet.url}, six contracts, a block every {network.block_time:g} s")
        with tell.progress("starting the gateways: one process and one database a company"):
            for company in COMPANIES:
                network.make_gateway(company)
            network.register()
            network.start_gateways()
            network.introduce()
            network.set_up_product()
        for company in COMPANIES:
            tell.fact(f"party {company.party}: {company.name}, gateway at {self.client(company).url}")

    def commission(self, lot_number: str, units: int, cases: int = CASES, pallets: int = PALLETS) -> Lot:
        """The line draws serial numbers, commissions the lot, packs cases and pallets."""
        tell, client = self.tell, self.client(MAKER)
        tell.act(f"{MAKER.name} packs lot {lot_number}: {units} packs, {cases} cases, {pallets} pallets")
        lot = Lot(lot_number, cases=self.ssccs(cases), pallets=self.ssccs(pallets))
        lot.serials = client.post("/serials", {"gtin": GTIN, "count": units})["serials"]
        packs = [sgtin_uri(GTIN, serial) for serial in lot.serials]
        share, pile = -(-units // cases), -(-cases // pallets)
        lot.in_case = {case: packs[n * share : (n + 1) * share] for n, case in enumerate(lot.cases)}
        lot.on_pallet = {pallet: lot.cases[n * pile : (n + 1) * pile] for n, pallet in enumerate(lot.pallets)}
        begun = time.monotonic()
        answer = client.post("/capture", documents.document(documents.commissioning(MAKER, packs, lot.lot, EXPIRY)))
        took = time.monotonic() - begun
        lot.batch = answer["events"][0]["batch"]
        tell.fact(f"{units} serial numbers drawn at random and commissioned, acknowledged after {took:.2f} s")
        with tell.progress("packing"):
            cased = [documents.packing(MAKER, case, lot.in_case[case]) for case in lot.cases]
            piled = [documents.packing(MAKER, pallet, lot.on_pallet[pallet]) for pallet in lot.pallets]
            client.post("/capture", documents.document(*cased, *piled))
        tell.fact(
            f"{cases} cases of {share} packs on {pallets} pallets; batch {lot.batch} goes to the chain as a proposal"
        )
        return lot

    def release(self, lot: Lot) -> None:
        """The qualified person releases the batch."""
        client = self.client(MAKER)
        with self.tell.progress("waiting for the proposal's block"):
            self.batch_state(lot, "proposed")
        self.tell.fact("proposed by the line, not released: nobody could dispense a pack of it yet")
        client.post(f"/batches/{lot.batch}/release")
        with self.tell.progress("waiting for the release's block"):
            self.batch_state(lot, "released")
        self.tell.fact("released by the qualified person's own key")
        with self.tell.progress("the authority gets the product's data"):
            client.wait("/hand-overs", lambda found: bool(found) and found[-1]["state"] == "delivered")
        self.tell.fact(f"{AUTHORITY.name} holds the product's secret: it can name what others see only as a key")

    def print_labels(self, lot: Lot) -> Path:
        """Label sheets of packs and cases, into a folder."""
        folder = self.network.folder / "labels"
        folder.mkdir(exist_ok=True)
        packs = [
            pack_drawing(PackLabel(GTIN, serial, lot.lot, EXPIRY_YYMMDD, NATIONAL))
            for serial in lot.serials[:SHEET_LABELS]
        ]
        for number, page in enumerate(sheets(packs, f"lot {lot.lot}: packs"), 1):
            (folder / f"packs-{number}.png").write_bytes(to_png(page))
        units = [*lot.pallets, *lot.cases[:2]]
        logistic = [logistic_drawing(LogisticLabel(sscc_of_uri(unit) or "")) for unit in units]
        for number, page in enumerate(sheets(logistic, f"lot {lot.lot}: pallets and cases"), 1):
            (folder / f"logistic-{number}.png").write_bytes(to_png(page))
        self.tell.fact(f"label sheets in {folder}")
        return folder

    def deliver(self, lot: Lot) -> str:
        """One pallet to the wholesaler, a case of it to the first pharmacy; the case's URI."""
        tell, pallet = self.tell, lot.pallets[0]
        case = lot.on_pallet[pallet][3]
        tell.act(f"One pallet to {WHOLESALE.name}, a case of it to {PHARMACY_A.name}")
        self.hand_over(MAKER, WHOLESALE, pallet)
        self.client(WHOLESALE).post("/capture", documents.document(documents.unpacking(WHOLESALE, pallet)))
        tell.fact(f"{WHOLESALE.name} opens the pallet")
        self.hand_over(WHOLESALE, PHARMACY_A, case)
        self.client(PHARMACY_A).post("/capture", documents.document(documents.unpacking(PHARMACY_A, case)))
        tell.fact(f"{PHARMACY_A.name} opens the case")
        return case

    def dispense(self, lot: Lot, pack: str, folder: Path) -> None:
        """The pharmacist scans a picture of the label, sees the verdict, and dispenses."""
        tell, client = self.tell, self.client(PHARMACY_A)
        tell.act(f"At {PHARMACY_A.name}: a pack is scanned and dispensed")
        serial = serial_of(pack)
        picture = folder / f"pack-{serial}.png"
        picture.write_bytes(to_png(pack_drawing(PackLabel(GTIN, serial, lot.lot, EXPIRY_YYMMDD, NATIONAL))))
        config = scanner_config(self.network, self.running(PHARMACY_A), self.network.folder / "counter.toml")
        with tell.progress("the scanner reads the picture and asks its own node"):
            verdict = scan_picture(picture, config)
        tell.fact(f"scanned from the picture {picture.name}, checked by the scanner against its own node:")
        tell.verdict(verdict, history=True)
        operation = client.post("/dispense", {"packs": [{"code": lot.code(serial)}]})
        tell.fact(f"dispense submitted: {operation['packs'][0]['outcome']}")
        done = self.settled(client, operation)
        tell.fact(f"block made: [bold]{done['packs'][0]['outcome']}[/bold], case {done['case']}")

    def take_back(self, lot: Lot, pack: str) -> None:
        """A pack is dispensed by mistake and taken back within the ten days."""
        client = self.client(PHARMACY_A)
        code = lot.code(serial_of(pack))
        operation = self.settled(client, client.post("/dispense", {"packs": [{"code": code}]}))
        reversal = self.settled(client, client.post(f"/operations/{operation['id']}/reverse"))
        self.tell.fact(
            f"another pack: {operation['packs'][0]['outcome']}, then taken back unopened: "
            f"[bold]{reversal['packs'][0]['outcome']}[/bold]"
        )

    def send_back(self, lot: Lot, pack: str) -> None:
        """A saleable return: in a tote of its own to the wholesaler, and on to the second pharmacy."""
        tell = self.tell
        tell.act(f"A saleable return: a pack goes back to {WHOLESALE.name} and on to {PHARMACY_B.name}")
        tote, other = self.ssccs(2)
        self.client(PHARMACY_A).post("/capture", documents.document(documents.packing(PHARMACY_A, tote, [pack])))
        self.hand_over(PHARMACY_A, WHOLESALE, tote)
        repack = (documents.unpacking(WHOLESALE, tote), documents.packing(WHOLESALE, other, [pack]))
        self.client(WHOLESALE).post("/capture", documents.document(*repack))
        self.hand_over(WHOLESALE, PHARMACY_B, other)
        self.client(PHARMACY_B).post("/capture", documents.document(documents.unpacking(PHARMACY_B, other)))
        self.idle(PHARMACY_B)
        tell.verdict(self.verify(PHARMACY_B, lot.code(serial_of(pack))), history=True)

    # ---- what the acts are made of ----

    def hand_over(self, sender: Company, receiver: Company, unit: str) -> None:
        """Ship, hand the pedigree over from gateway to gateway, receive."""
        sscc = sscc_of_uri(unit)
        self.client(sender).post("/capture", documents.document(documents.shipping(sender, receiver, [unit])))
        with self.tell.progress(f"{sender.name} ships {sscc}; the pedigree goes with it"):
            self.arrival(receiver, unit, place="expected")
        self.client(receiver).post("/capture", documents.document(documents.receiving(receiver, [unit])))
        with self.tell.progress(f"{receiver.name} receives {sscc}"):
            self.arrival(receiver, unit, goods="received")
        self.tell.fact(f"{sender.name} → {receiver.name}: SSCC {sscc}, pedigree verified before it was accepted")

    def arrival(self, receiver: Company, unit: str, **wanted: str) -> None:
        """Wait until a shipment of `unit` has come so far at the receiver: its `place` there, or its `goods`' state."""

        def found(answer: list[dict[str, Any]]) -> bool:
            entries = (entry for arrival in answer for entry in arrival["units"] if entry["uri"] == unit)
            return any(entry.items() >= wanted.items() for entry in entries)

        self.client(receiver).wait("/arrivals", found)

    def idle(self, company: Company) -> None:
        """Wait until nothing of a company is on its way to the chain."""
        self.client(company).wait(
            "/outbox", lambda answer: not any(call["state"] in ON_THE_WAY for call in answer["calls"])
        )

    def settled(self, client: Client, operation: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = client.wait(
            f"/operations/{operation['id']}", lambda found: found["state"] != "pending"
        )
        return answer

    def batch_state(self, lot: Lot, state: str) -> None:
        def reached(answer: list[dict[str, Any]]) -> bool:
            return any(batch["number"] == lot.batch and batch["state"] == state for batch in answer)

        self.client(MAKER).wait("/batches", reached, lot=lot.lot)

    def verify(self, company: Company, code: str) -> dict[str, Any]:
        verdict: dict[str, Any] = self.client(company).post("/verify", {"code": code})["verdict"]
        return verdict

    def ssccs(self, count: int) -> list[str]:
        """Fresh SSCCs, as URIs."""
        first, self._next_sscc = self._next_sscc, self._next_sscc + count
        return [sscc_uri(make_sscc(COMPANY_PREFIX, number)) for number in range(first, first + count)]

    def client(self, company: Company) -> Client:
        return self.running(company).client

    def running(self, company: Company) -> Running:
        return self.network.of(company)


def serial_of(pack: str) -> str:
    return pack.rpartition("/")[2]


def scan_picture(picture: Path, config: Path) -> dict[str, Any]:
    """`packtrace scan` on a picture, in a process of its own as at a counter; its verdict."""
    command = [sys.executable, "-m", "packtrace.cli", "scan", str(picture), "--config", str(config), "--json", "--once"]
    output = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    verdict: dict[str, Any] = orjson.loads(output.stdout.splitlines()[0])["verdict"]
    return verdict
