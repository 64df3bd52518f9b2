"""Work by scanning: a stream of codes in, one clear answer to each.

Packs are verified or dispensed; goods are received, shipped, packed and unpacked.

What to do is said by codes too (`COMMANDS`), so that nobody has to put the scanner down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from packtrace.gs1 import expires_at, keys, sgtin_uri, sscc_uri
from packtrace.scan import Scan
from packtrace.verdict import Headline
from packtrace_scanner import tasks
from packtrace_scanner.answers import MOST_NAMED, Mark, Said, Tell, named
from packtrace_scanner.gateway import Gateway, OfflineError
from packtrace_scanner.journal import Job, Journal, State
from packtrace_scanner.reading import Meaning, NotMedicine, ScannedLogisticUnit, ScannedPack
from packtrace_scanner.sender import DISPENSING, Sender, about
from packtrace_scanner.tasks import Task, TaskError
from packtrace_scanner.verifier import Verified, Verifier

PREFIX = "packtrace:"
VERIFYING = "verifying"
MODES = {"verify": VERIFYING, "dispense": DISPENSING, "receive": "receiving", "ship": "shipping", "pack": "packing"}
MODES |= {"unpack": "unpacking"}
COMMANDS = ("done", "undo", "drop", "mend", "aside", "resend", "kept", *MODES)
"""What a command code says behind ``packtrace:``; ``ship`` has the receiver's GLN behind another colon."""

NOT_KNOWN_OFFLINE = (
    "not known without the gateway and a node: whether its maker made this serial number, whether it was recalled,",
    "dispensed, stolen or reported elsewhere, and by which hands it came",
)


@dataclass(slots=True)
class Parts:
    """What work is done with. `now` gives unix seconds."""

    verifier: Verifier
    gateway: Gateway
    journal: Journal
    sender: Sender
    gln: str | None
    now: Callable[[], float] = lambda: datetime.now(UTC).timestamp()


class Work:
    """`tell` is told what is said to people, `show` shows a verdict in full."""

    def __init__(self, parts: Parts, tell: Tell, show: Callable[[Verified], None]) -> None:
        self._parts = parts
        self._tell = tell
        self._show = show
        self.mode = VERIFYING
        self._task: Task | None = tasks.go_on(parts.journal, parts.gateway, parts.gln)
        if self._task is not None:
            self.mode = self._task.kind
            count = f"{len(self._task.units)} scanned before the program ended"
            tell(Said(Mark.QUESTION, f"{self.mode} goes on", (count, "scan on, finish, or drop it")))
        if waiting := tasks.refused(parts.journal):
            lines = (", ".join(job.kind for job in waiting), f"{PREFIX}mend goes on with the first")
            tell(Said(Mark.QUESTION, f"{len(waiting)} refused", lines))
        if aside := parts.journal.all(State.ASIDE):
            lines = (", ".join(job.kind for job in aside), f"{PREFIX}resend sends them, {PREFIX}kept lists them")
            tell(Said(Mark.QUESTION, f"{len(aside)} set aside", lines))

    def take(self, meaning: Meaning) -> None:
        """One code was scanned."""
        command = command_of(meaning)
        if command is not None:
            self.command(command)
        elif isinstance(meaning, NotMedicine):
            self._tell(Said(Mark.WRONG, "not a medicine's code", (meaning.reason,)))
        elif self._task is not None:
            self._tell(self._task.scan(_uri(meaning)))
        elif isinstance(meaning, ScannedLogisticUnit):
            self._tell(_no_pack(meaning.sscc) if self.mode == DISPENSING else self._unit(meaning.sscc))
        elif self.mode == DISPENSING:
            self._dispense(meaning)
        else:
            self._verify(meaning)

    # ---- commands ----

    def command(self, command: str) -> None:
        """Do what a command code says, without its prefix: ``receive``, ``ship:4012345000009``, ``done``."""
        name, _, argument = command.partition(":")
        finished = {"mend": self._mend, "aside": self._set_aside, "resend": self._resend, "kept": self._kept}
        if name in MODES:
            self._begin(MODES[name], argument)
        elif name in finished:
            finished[name]()
        elif self._task is None:
            self._tell(Said(Mark.QUESTION, "nothing is open", (f"now: {self.mode}",)))
        elif name == "done":
            said, ended = self._task.finish()
            self._tell(said)
            if ended:
                self._parts.sender.wake()
                self._again()
        elif name == "undo":
            self._tell(self._task.undo())
        else:
            self._tell(self._task.drop())
            self._again()

    def _mend(self) -> None:
        """Go on with the oldest task that the gateway refused."""
        if self._is_open():
            return
        task = tasks.mend(self._parts.journal, self._parts.gateway, self._parts.gln)
        if task is None:
            self._tell(Said(Mark.QUESTION, "nothing was refused"))
            return
        for said in task.again():
            self._tell(said)
        self._task, self.mode = task, task.kind
        if not task.begun:
            self._again()

    # ---- what the gateway does not take ----

    def _set_aside(self) -> None:
        """Send what is behind the job that the gateway does not take now."""
        job = self._parts.sender.set_aside()
        if job is None:
            self._tell(Said(Mark.QUESTION, "nothing is in the way", (f"{PREFIX}kept lists what waits",)))
            return
        lines = (
            "it is kept here, and NOT recorded until it is sent: packtrace:resend does that",
            "what builds on it may be refused until then: packtrace:mend goes on with that",
        )
        self._tell(Said(Mark.QUESTION, f"{job.kind} is set aside", (*about(job), *lines)))

    def _resend(self) -> None:
        count = self._parts.journal.send_again()
        if count == 0:
            self._tell(Said(Mark.QUESTION, "nothing is set aside"))
            return
        self._parts.sender.wake()
        self._tell(Said(Mark.GOOD, "sent once more", (f"{count} that were set aside, each in its place",)))

    def _kept(self) -> None:
        """List all that the gateway does not have."""
        journal = self._parts.journal
        kept = {"refused": tasks.refused(journal)}
        kept |= {"set aside": journal.all(State.ASIDE), "waiting": journal.all(State.READY)}
        headline = ", ".join(f"{len(jobs)} {how}" for how, jobs in kept.items() if jobs)
        if not headline:
            self._tell(Said(Mark.GOOD, "the gateway has everything"))
            return
        lines = [
            f"{how}: {job.kind}, {_moment(job.created)}, {', '.join(about(job))}"
            for how, jobs in kept.items()
            for job in jobs
        ]
        rest = [f"and {len(lines) - MOST_NAMED} more"] if len(lines) > MOST_NAMED else []
        self._tell(Said(Mark.QUESTION, headline, (*lines[:MOST_NAMED], *rest)))

    def _is_open(self) -> bool:
        """Whether a task is under way, which is said then."""
        if self._task is None or not self._task.begun:
            return False
        lines = (f"{len(self._task.units)} scanned", "finish it or drop it first")
        self._tell(Said(Mark.QUESTION, f"{self._task.kind} is open", lines))
        return True

    def _begin(self, mode: str, argument: str) -> None:
        if self._is_open():
            return
        try:
            self._task = self._new(mode, argument or None)
        except (TaskError, ValueError) as error:
            self._tell(Said(Mark.WRONG, f"{mode} cannot begin", (str(error),)))
            return
        self.mode = mode
        self._tell(Said(Mark.GOOD, f"now: {mode}", (f"to {argument}",) if argument else ()))

    def _new(self, mode: str, receiver: str | None) -> Task | None:
        if mode in (VERIFYING, DISPENSING):
            return None
        parts = self._parts
        return tasks.begin(mode, parts.journal, parts.gateway, parts.gln, receiver and keys.gln(receiver))

    def _again(self) -> None:
        """The same once more, with nothing scanned yet; of shipping the receiver is asked for anew."""
        if self.mode == "shipping":
            self.mode, self._task = VERIFYING, None
            self._tell(Said(Mark.GOOD, f"now: {VERIFYING}"))
        else:
            self._task = self._new(self.mode, None)

    # ---- packs ----

    def _verify(self, pack: ScannedPack) -> Verified:
        verified = self._parts.verifier.verify_pack(pack)
        self._show(verified)
        if not_looked_at(verified):
            self._tell(offline_verdict(pack.scan, self._parts.journal, self._parts.now()))
        return verified

    def _dispense(self, pack: ScannedPack) -> None:
        """Only what is authentic is dispensed.

        Without gateway and node the pack is written down, and dispensed as soon as they answer again (Regulation
        2016/161, Article 29, is the law's exception for that).
        """
        verified = self._verify(pack)
        unseen = not_looked_at(verified)
        seen = self._parts.journal.of_pack(_code(pack.scan), DISPENSING)
        if seen is not None:
            self._tell(
                Said(Mark.WRONG, "scanned for dispensing before", (f"at this counter, {_moment(seen.created)}",))
            )
        elif verified.authentic or (unseen and not expired(pack.scan, self._parts.now())):
            job = Job(DISPENSING, {"request": uuid4().hex, "unseen": unseen, "packs": [_code(pack.scan)]}, State.READY)
            job.body["pack"] = {
                "gtin": pack.scan.gtin,
                "serial": pack.scan.serial,
                "lot": pack.scan.lot,
                "expiry": pack.scan.expiry.isoformat() if pack.scan.expiry else None,
            }
            self._parts.journal.write(job)
            self._parts.sender.wake()
            words = "written down: sent when the gateway answers" if unseen else "dispensing …"
            self._tell(Said(Mark.QUESTION if unseen else Mark.AGAIN, words))
        else:
            self._tell(Said(Mark.WRONG, "not dispensed", (verified.verdict.words,)))

    def _unit(self, sscc: str) -> Said:
        """What a logistic unit is, where no task is open."""
        uri = sscc_uri(sscc)
        try:
            unit = self._parts.gateway.unit(sscc)
            contents = self._parts.gateway.contents(sscc) if unit else {}
        except OfflineError as error:
            return Said(Mark.QUESTION, "a logistic unit", (named(uri), error.message))
        if unit is None:
            return Said(Mark.QUESTION, "a logistic unit", (named(uri), "no data of it are here"))
        inside = (f"inside {named(unit['inside'])}",) if unit["inside"] else ()
        note = (unit["note"],) if unit["note"] else ()
        return Said(Mark.GOOD, unit["place"], (named(uri), f"{len(contents)} things in it", *inside, *note))


def _no_pack(sscc: str) -> Said:
    """A logistic unit is not dispensed, whatever its label says of a trade item."""
    why = "this is the label of a logistic unit, not of a pack: scan the code on each pack"
    return Said(Mark.WRONG, "not dispensed", (named(sscc_uri(sscc)), why))


def command_of(meaning: Meaning) -> str | None:
    """The command in a plain code or typed line that begins with ``packtrace:``; None where it is none."""
    if not isinstance(meaning, NotMedicine):
        return None
    text = meaning.readings[0].text.strip()
    name, _, _ = text.removeprefix(PREFIX).partition(":")
    return text.removeprefix(PREFIX) if text.startswith(PREFIX) and name in COMMANDS else None


def not_looked_at(verified: Verified) -> bool:
    """Whether neither gateway nor node could be asked enough to say anything against the pack or for it."""
    return bool(verified.notes) and verified.verdict.headline is Headline.NOT_VERIFIED


def offline_verdict(scan: Scan, journal: Journal, now: float) -> Said:
    """What can be said of a pack without gateway and node, and what cannot."""
    seen = journal.of_pack(_code(scan), DISPENSING)
    if seen is not None:
        lines = (f"this counter dispensed it, {_moment(seen.created)}",)
        return Said(Mark.WRONG, "dispensed here before", (*lines, *NOT_KNOWN_OFFLINE))
    if expired(scan, now):
        return Said(Mark.WRONG, "expired", (f"since {scan.expiry}", *NOT_KNOWN_OFFLINE))
    known = "known offline: its code keeps GS1's rules, it is not past its expiry, this counter has not dispensed it"
    return Said(Mark.QUESTION, "not verified: offline", (known, *NOT_KNOWN_OFFLINE))


def expired(scan: Scan, now: float) -> bool:
    return scan.expiry is not None and now >= expires_at(scan.expiry)


def _uri(meaning: ScannedPack | ScannedLogisticUnit) -> str:
    if isinstance(meaning, ScannedLogisticUnit):
        return sscc_uri(meaning.sscc)
    return sgtin_uri(meaning.scan.gtin, meaning.scan.serial)


def _code(scan: Scan) -> str:
    return sgtin_uri(scan.gtin, scan.serial)


def _moment(time: float) -> str:
    return datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M")
