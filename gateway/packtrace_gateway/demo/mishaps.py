"""What can go wrong, each played for real and shown with its verdict."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import quote

from packtrace.gs1 import sgtin_uri
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.client import Refused
from packtrace_gateway.demo.companies import (
    AUTHORITY,
    GTIN,
    MAKER,
    PHARMACY_A,
    PHARMACY_B,
    WHOLESALE,
    Company,
)
from packtrace_gateway.demo.story import Lot, Story

OTHER_EXPIRY = "300430"
PATIENCE = 60.0


class Mishaps:
    """The second half of the day. `lot` was delivered; `case` of it was opened at the first pharmacy."""

    def __init__(self, story: Story, lot: Lot, case: str) -> None:
        self.story = story
        self.tell = story.tell
        self.lot = lot
        self.case = case
        self._spare = list(lot.in_case[case][3:])

    def play(self, dispensed: str, returned: str) -> None:
        self.clone(dispensed)
        self.same_block()
        self.never_made()
        self.other_expiry()
        self.tampered(returned)
        self.never_came_here()
        self.not_released()
        self.unlicensed()
        self.killed()
        self.recalled()

    # ---- codes ----

    def clone(self, dispensed: str) -> None:
        """A copy of a dispensed pack's code turns up at the other pharmacy."""
        tell = self.tell
        tell.act(f"The code that {PHARMACY_A.name} dispensed is offered again at {PHARMACY_B.name}")
        code = self._code(dispensed)
        tell.verdict(self.story.verify(PHARMACY_B, code))
        tell.fact("no pedigree of it came here, so its maker was asked (located); its status is on chain")
        outcome = self._dispense(PHARMACY_B, code)
        tell.fact(f"dispensed all the same: [bold]{outcome}[/bold]; the attempt is on chain as a Conflict")
        for company in (PHARMACY_B, MAKER, AUTHORITY):
            alerts = self.story.client(company).wait("/alerts", bool, open_only=True)
            alert = alerts[0]
            where = f"alert {alert['number']} at {company.name} (as {alert['why']})"
            tell.fact(f"{where}: case {alert['case']}, {alert['refusal']}")
        regulator = self.story.client(AUTHORITY)
        number = regulator.get("/alerts", open_only=True)[0]["number"]
        regulator.post(
            f"/alerts/{number}/comments", {"text": "Pack secured at Harbour Pharmacy, sent to the laboratory."}
        )
        regulator.post(f"/alerts/{number}/close", {"text": "Confirmed falsified."})
        tell.fact(f"the authority comments on alert {number} and closes it")

    def same_block(self) -> None:
        """Both pharmacies dispense one code in the same block: one of them wins."""
        tell, devnet = self.tell, self.story.network.devnet
        tell.act("Both pharmacies dispense one code in the same block")
        pack = self._spare.pop()
        self._idle()
        devnet.pause_mining()
        try:
            operations = {
                company: self.story.client(company).post("/dispense", self._packs(company, pack))
                for company in (PHARMACY_B, PHARMACY_A)
            }
            with tell.progress("both calls wait in the pool"):
                self._until(lambda: devnet.pool().pending >= len(operations))
            devnet.mine()
        finally:
            devnet.resume_mining()
        blocks = set()
        for company, operation in operations.items():
            client = self.story.client(company)
            done = self.story.settled(client, operation)
            rows = client.get("/outbox", reference="status:SUPPLIED")
            blocks.add(rows["calls"][0]["block_number"])
            tell.fact(f"{company.name}: [bold]{done['packs'][0]['outcome']}[/bold]")
        tell.fact(f"both in block {', '.join(map(str, sorted(blocks)))}: the chain is the referee")

    def never_made(self) -> None:
        tell = self.tell
        tell.act("A serial number that was never made")
        serial = self.lot.serials[0][:-4] + "XXXX"
        tell.verdict(self.story.verify(PHARMACY_A, self.lot.code(serial)))
        self._refused(PHARMACY_A, {"packs": [{"code": self.lot.code(serial)}]})

    def other_expiry(self) -> None:
        tell = self.tell
        tell.act("A genuine serial number with another expiry printed")
        serial = self._spare[-1].rpartition("/")[2]
        code = self.lot.code(serial, expiry=OTHER_EXPIRY)
        tell.verdict(self.story.verify(PHARMACY_A, code))
        self._refused(PHARMACY_A, {"packs": [{"code": code}]})

    # ---- evidence and custody ----

    def tampered(self, pack: str) -> None:
        """Somebody changes a row in a gateway's database, and changes it back."""
        tell = self.tell
        tell.act(f"A row is changed in {PHARMACY_B.name}'s database behind its gateway's back")
        database = self.story.running(PHARMACY_B).folder / "gateway.db"
        query = "SELECT id, header FROM event WHERE biz_step = 'commissioning' AND secret IS NULL LIMIT 1"
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            number, header = connection.execute(query).fetchone()
            spoiled = header.replace(b"2029-10-31", b"2031-10-31")
            assert spoiled != header
            connection.execute("UPDATE event SET header = ? WHERE id = ?", (spoiled, number))
            connection.commit()
            tell.fact("the expiry in the received commissioning event reads 2031 now")
            tell.verdict(self.story.verify(PHARMACY_B, self._code(pack)))
            connection.execute("UPDATE event SET header = ? WHERE id = ?", (header, number))
            connection.commit()
        tell.verdict(self.story.verify(PHARMACY_B, self._code(pack)))

    def never_came_here(self) -> None:
        """A genuine pack of the other pallet, which never left the maker, on a pharmacy's counter."""
        tell = self.tell
        tell.act("A genuine pack that never came here")
        other = self.lot.in_case[self.lot.on_pallet[self.lot.pallets[1]][0]][0]
        tell.verdict(self.story.verify(PHARMACY_A, self._code(other)))
        self._refused(PHARMACY_A, {"packs": [{"code": self._code(other)}]})

    # ---- lots and licences ----

    def not_released(self) -> None:
        """A lot that is only proposed cannot be shipped; a pack of it, stolen from the plant, cannot be dispensed."""
        tell, story = self.tell, self.story
        lot = story.commission("AP2611B", 20, cases=1, pallets=1)
        story.batch_state(lot, "proposed")
        tell.act("A lot that is not released")
        try:
            shipping = documents.shipping(MAKER, WHOLESALE, lot.pallets)
            story.client(MAKER).post("/capture", documents.document(shipping))
        except Refused as refusal:
            tell.fact(f"shipped to {WHOLESALE.name}: [bold]refused[/bold], {refusal.message}")
        else:
            raise AssertionError("this shipment should have been refused")
        tell.fact(f"a pack of it is stolen from the plant and offered at {PHARMACY_A.name}:")
        code = lot.code(lot.serials[0])
        tell.verdict(story.verify(PHARMACY_A, code))
        tell.fact(f"dispensed all the same: [bold]{self._dispense(PHARMACY_A, code)}[/bold]")

    def unlicensed(self) -> None:
        """A pharmacy whose licence was suspended cannot change anything."""
        tell, authority = self.tell, self.story.network.authority
        tell.act(f"{PHARMACY_A.name} loses its licence")
        authority.suspend(PHARMACY_A.party)
        code = self._code(self._spare[-1])
        operation = self.story.client(PHARMACY_A).post("/dispense", {"packs": [{"code": code}]})
        done = self.story.settled(self.story.client(PHARMACY_A), operation)
        tell.fact(f"dispense: [bold]{done['state']}[/bold], {done['error']}")
        authority.reinstate(PHARMACY_A.party)
        operation = self.story.client(PHARMACY_A).post("/dispense", {"packs": [{"code": code}]})
        done = self.story.settled(self.story.client(PHARMACY_A), operation)
        tell.fact(f"with its licence back: [bold]{done['packs'][0]['outcome']}[/bold]")
        self._spare.pop()

    def killed(self) -> None:
        """kill -9 between capture and anchoring: what was acknowledged is not lost."""
        tell, maker = self.tell, self.story.running(MAKER)
        tell.act(f"{MAKER.name}'s gateway is killed (kill -9) between capture and anchoring")
        serials = maker.client.post("/serials", {"gtin": GTIN, "count": 500})["serials"]
        packs = [sgtin_uri(GTIN, serial) for serial in serials]
        answer = maker.client.post(
            "/capture", documents.document(documents.commissioning(MAKER, packs, "AP2611C", "2029-11-30"))
        )
        maker.kill()
        event = answer["events"][0]
        tell.fact(f"500 packs acknowledged as event {event['digest'][:12]}; the process is gone, nothing was sent yet")
        maker.start()
        with tell.progress("started again: it goes on where it stopped"):
            maker.wait_until_healthy()
            path = f"/events/{quote(event['eventID'], safe='')}"
            state = maker.client.wait(path, lambda found: found["proof"] in ("anchored", "final"))
            maker.client.wait("/batches", lambda found: found[0]["state"] == "proposed", lot="AP2611C")
        tell.fact(f"the event is [bold]{state['proof']}[/bold], its batch proposed, each exactly once")

    def recalled(self) -> None:
        tell, story = self.tell, self.story
        tell.act(f"{MAKER.name} recalls lot {self.lot.lot}")
        notice = {
            "gtin": GTIN,
            "lot": self.lot.lot,
            "kind": "recalled",
            "notice": "Glass particles found in stability sample.",
        }
        row = story.client(MAKER).post("/recalls", notice)["outbox"]
        story.client(MAKER).wait(f"/outbox/{row}", lambda answer: answer["state"] in ("included", "final"))
        code = self._code(self._spare[-1])
        tell.fact("one block later, everywhere:")
        tell.verdict(story.verify(PHARMACY_A, code))
        tell.fact(f"dispensed all the same: [bold]{self._dispense(PHARMACY_A, code)}[/bold]")

    # ---- what they are made of ----

    def _code(self, pack: str) -> str:
        return self.lot.code(pack.rpartition("/")[2])

    def _packs(self, company: Company, pack: str) -> dict[str, Any]:
        """The pack never came to the second pharmacy: its people must acknowledge that to go on."""
        packs: dict[str, Any] = {"packs": [{"code": self._code(pack)}]}
        return packs | ({"acknowledge": "custody gap"} if company is PHARMACY_B else {})

    def _dispense(self, company: Company, code: str) -> str:
        client = self.story.client(company)
        done = self.story.settled(client, client.post("/dispense", {"packs": [{"code": code}]}))
        return str(done["packs"][0]["outcome"])

    def _refused(self, company: Company, packs: dict[str, Any]) -> None:
        """The gateway does not even submit this: the code in hand is not that of a pack that could be dispensed."""
        try:
            self.story.client(company).post("/dispense", packs)
        except Refused as refusal:
            self.tell.fact(f"dispense: [bold]not submitted[/bold], {refusal.message}")
        else:
            raise AssertionError("this dispense should not have been submitted")

    def _idle(self) -> None:
        """Nothing of the two pharmacies is on its way, so that the next block has just what the act is about."""
        for company in (PHARMACY_A, PHARMACY_B):
            self.story.idle(company)

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < deadline:
            time.sleep(0.05)
