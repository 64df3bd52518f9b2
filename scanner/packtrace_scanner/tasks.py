"""What somebody does by scanning, one task at a time: receive, ship, pack, unpack. Each scan is answered at once.

A task is written into the journal with every scan and goes on after a power cut. The gateway is asked what a unit is;
where it does not answer, scans are taken as they are, and what could not be looked at is said.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from packtrace.errors import PacktraceError
from packtrace.gs1 import sscc_of_uri
from packtrace_scanner import events
from packtrace_scanner.answers import Mark, Said, listed, named
from packtrace_scanner.gateway import Gateway, OfflineError
from packtrace_scanner.journal import Job, Journal, State

HOW_TO_MEND = "finish to send it once more; what is scanned again and undone is left out; drop forgets all of it"


class TaskError(PacktraceError):
    """A task that cannot begin as it was asked for."""


class Task(ABC):
    """One task of the units that are scanned. `scan` and `finish` answer; `job` is what the journal keeps."""

    kind: ClassVar[str]

    def __init__(self, journal: Journal, gateway: Gateway, gln: str, job: Job | None = None) -> None:
        self._journal = journal
        self._gateway = gateway
        self._gln = gln
        self._last: str | None = None  # scanned, for the first time or again
        self.job = job or Job(self.kind, {"units": []})

    @property
    def units(self) -> list[str]:
        """URIs that were taken, in the order in which they were scanned."""
        found: list[str] = self.job.body["units"]
        return found

    @property
    def begun(self) -> bool:
        """Whether there is anything that would be lost."""
        return bool(self.units)

    def scan(self, uri: str) -> Said:
        """A unit or pack was scanned."""
        if uri in self.units:
            self._last = uri
            return self._repeated(uri)
        said = self._look(uri)
        if said.mark is not Mark.WRONG:
            self._take(uri)
            self._journal.write(self.job)
            self._last = uri
        return said

    def undo(self) -> Said:
        """Take back what was scanned last; what was scanned before that, when it is scanned again and undone."""
        if not self.units:
            return Said(Mark.QUESTION, "nothing to take back")
        uri = self._last if self._last in self.units else self.units[-1]
        self._take_back(uri)
        self._keep()
        return Said(Mark.GOOD, "taken back", (named(uri), f"{len(self.units)} left"))

    def again(self) -> list[Said]:
        """Go on with a job that was refused. Everything is looked at once more; what is wrong by now is left out."""
        units, self.job.body["units"] = self.units, []
        wrong = self._sort(units)
        reason = f"it was refused: {(self.job.answer or {}).get('refused')}"
        self.job.state, self.job.answer = State.OPEN if self.begun else State.DONE, None
        self._journal.write(self.job)
        if not self.begun:
            return [*wrong.values(), Said(Mark.GOOD, f"{self.kind}: nothing is left of it", (reason,))]
        lines = (reason, f"{len(self.units)} scanned, {len(wrong)} left out", *listed(self.units), HOW_TO_MEND)
        return [*wrong.values(), Said(Mark.QUESTION, f"{self.kind} goes on", lines)]

    def drop(self) -> Said:
        """Forget the whole task."""
        self._journal.drop(self.job)
        return Said(Mark.GOOD, f"{self.kind} is forgotten", (f"{len(self.units)} scans are dropped",))

    def finish(self) -> tuple[Said, bool]:
        """Everything was scanned. The answer, and whether the task has ended."""
        if not self.units:
            return Said(Mark.QUESTION, "nothing was scanned yet"), False
        problem = self._incomplete()
        if problem:
            return problem, False
        self.job.body |= {"call": self._call()}
        self.job.state = State.READY
        self._journal.write(self.job)
        return Said(Mark.GOOD, f"{self.kind}: written down", (f"{len(self.units)} scanned",)), True

    # ---- what each task knows ----

    @abstractmethod
    def _look(self, uri: str) -> Said:
        """What a unit or pack is to this task; it is taken unless the answer is WRONG."""

    @abstractmethod
    def _call(self) -> dict[str, Any]:
        """What the gateway is to be sent, in one piece: it does all of it, or nothing.

        A document to ``capture``, or a delivery to ``receive``.
        """

    def _repeated(self, uri: str) -> Said:
        """What was taken was scanned again."""
        return Said(Mark.AGAIN, "scanned before", (named(uri),))

    def _keep(self) -> None:
        if self.begun:
            self._journal.write(self.job)
        else:
            self._journal.drop(self.job)

    def _take(self, uri: str) -> None:
        self.units.append(uri)

    def _take_back(self, uri: str) -> None:
        self.units.remove(uri)

    def _sort(self, uris: Iterable[str]) -> dict[str, Said]:
        """Take each of these that is not wrong; why the others are."""
        wrong = {}
        for uri in uris:
            said = self._look(uri)
            if said.mark is Mark.WRONG:
                wrong[uri] = said
            else:
                self._take(uri)
        return wrong

    def _incomplete(self) -> Said | None:
        return None

    def _known(self, uri: str) -> dict[str, Any] | None:
        return self._gateway.unit(sscc_of_uri(uri) or "")

    def _outermost(self, unit: dict[str, Any]) -> dict[str, Any]:
        """What a unit lies in, all around: its place is where all of it is."""
        while unit["inside"] and (outer := self._known(unit["inside"])):
            unit = outer
        return unit


class Receiving(Task):
    """Goods come in. The label of a pallet is enough; its cases may be scanned too, and are ticked off."""

    kind = "receiving"

    def _look(self, uri: str) -> Said:
        if sscc_of_uri(uri) is None:
            return Said(Mark.WRONG, "this is a pack", ("receive what it lies in: scan the label of its case",))
        try:
            inside = self._inside_of_what_came(uri)
            if inside:
                return self._ticked(uri, inside)
            unit = self._known(uri)
            if unit is None:
                return Said(Mark.QUESTION, "no data yet", (named(uri), "it waits in quarantine until they come"))
            return self._root(uri, unit)
        except OfflineError as error:
            why = (named(uri), f"{error.message}: whether it is expected, and what is in it, was not looked at")
            return Said(Mark.QUESTION, "taken down, not looked at", why)

    def _root(self, uri: str, unit: dict[str, Any]) -> Said:
        outermost = self._outermost(unit)
        if outermost["place"] == "here":
            return Said(Mark.WRONG, "is here already", (named(uri),))
        if unit["inside"] and outermost["place"] == "expected":
            lines = (named(uri), f"it is expected inside {named(outermost['uri'])}: scan that label")
            return Said(Mark.WRONG, "only a part of what is expected", lines)
        if unit["place"] not in ("expected", "quarantined"):
            return Said(Mark.WRONG, "not expected", (named(uri), f"it is recorded as {unit['place']}"))
        contents = self._gateway.contents(sscc_of_uri(uri) or "")
        cases = [inner for inner, outer in contents.items() if outer == uri and sscc_of_uri(inner)]
        deeper = {inner: outer for inner, outer in contents.items() if sscc_of_uri(inner)}
        packs = len(contents) - len(deeper)
        expected = {"arrival": unit["arrival"], "cases": cases, "all": sorted(deeper)}
        self.job.body.setdefault("expected", {})[uri] = expected
        lines = (named(uri), f"from party {unit['partner']}: {len(cases)} cases, {packs} packs")
        note = (unit["note"],) if unit["note"] else ()
        return Said(Mark.GOOD, "expected", (*lines, *note, "scan its cases to tick them off, or finish"))

    @property
    def _expected(self) -> dict[str, dict[str, Any]]:
        """What lies in each logistic unit that was scanned and not taken back."""
        looked_at = self.job.body.get("expected", {})
        return {root: content for root, content in looked_at.items() if root in self.units}

    def _inside_of_what_came(self, uri: str) -> str | None:
        for root, content in self._expected.items():
            if uri in content["all"]:
                return str(root)
        return None

    def _repeated(self, uri: str) -> Said:
        """What was scanned offline, or before its data came, is looked at: else nobody knows what is missing in it."""
        if uri in self._expected or self._inside_of_what_came(uri):
            return super()._repeated(uri)
        said = self._look(uri)
        if said.mark is Mark.QUESTION:
            return Said(Mark.AGAIN, "scanned before", said.lines)
        if said.mark is Mark.WRONG:
            self._take_back(uri)
        self._keep()
        return said

    def _ticked(self, uri: str, root: str) -> Said:
        cases = self._expected[root]["cases"]
        ticked = len({*self.units, uri} & set(cases))
        lines = (named(uri), f"{ticked} of {len(cases)} cases of {named(root)}")
        return Said(Mark.GOOD, "belongs to it", lines)

    def _take_back(self, uri: str) -> None:
        """With what lies in it."""
        inside = self._expected.get(uri, {}).get("all", ())
        self.job.body["units"] = [unit for unit in self.units if unit != uri and unit not in inside]

    def _sort(self, uris: Iterable[str]) -> dict[str, Said]:
        """What is wrong is looked at twice: offline, a case may have been scanned before the pallet that it lies on."""
        return super()._sort(super()._sort(uris))

    def _missing(self) -> dict[str, list[str]]:
        """By root, the cases that were not scanned, where any case of it was."""
        found = {}
        for root, content in self._expected.items():
            cases = content["cases"]
            missing = [case for case in cases if case not in self.units]
            if missing and len(missing) < len(cases):
                found[root] = missing
        return found

    def _incomplete(self) -> Said | None:
        missing = self._missing()
        if not missing or self.job.body.get("confirmed") == missing:
            self.job.body["confirmed"] = missing
            return None
        self.job.body["confirmed"] = missing
        self._journal.write(self.job)
        cases = [case for some in missing.values() for case in some]
        question = "scan them; or finish once more to receive the rest without them"
        return Said(Mark.QUESTION, f"{len(cases)} missing", (*listed(cases), question))

    def _call(self) -> dict[str, Any]:
        inner = {uri for content in self._expected.values() for uri in content["all"]}
        missing = self.job.body["confirmed"]
        whole = [uri for uri in self.units if uri not in inner and uri not in missing]
        document = events.receiving(self._gln, whole) if whole else None
        if not missing:
            return {"capture": document}
        partly = [
            {"arrival": self._expected[root]["arrival"], "missing": [sscc_of_uri(case) for case in cases]}
            for root, cases in missing.items()
        ]
        return {"receive": {"partly": partly, "document": document}}


class Shipping(Task):
    """Goods leave for one receiver."""

    kind = "shipping"

    @property
    def _receiver(self) -> str:
        return str(self.job.body["receiver"])

    def _look(self, uri: str) -> Said:
        if sscc_of_uri(uri) is None:
            return Said(Mark.WRONG, "this is a pack", ("pack it into a case or tote first",))
        try:
            unit = self._known(uri)
        except OfflineError as error:
            return Said(Mark.QUESTION, "taken down, not looked at", (named(uri), error.message))
        if unit is None:
            return Said(Mark.WRONG, "not known here", (named(uri), "it was never packed or received here"))
        if unit["inside"]:
            lines = (named(uri), f"it lies in {named(unit['inside'])}: ship that, or take it out first")
            return Said(Mark.WRONG, "inside another unit", lines)
        if unit["place"] != "here":
            return Said(Mark.WRONG, "is not here", (named(uri), f"it is recorded as {unit['place']}"))
        if unit["refused"]:
            return Said(Mark.WRONG, "refused by the chain", (named(uri), unit["note"] or ""))
        return Said(Mark.GOOD, f"goes to {self._receiver}", (named(uri), f"{len(self.units) + 1} so far"))

    def _call(self) -> dict[str, Any]:
        return {"capture": events.shipping(self._gln, self._receiver, self.units)}


class Packing(Task):
    """The first scan is the case, tote or pallet; all others go into it. Taken back, it leaves them to the next one."""

    kind = "packing"

    @property
    def begun(self) -> bool:
        return bool(self.units or self._left)

    @property
    def _left(self) -> list[str]:
        found: list[str] = self.job.body.setdefault("left", [])
        return found

    def _take(self, uri: str) -> None:
        super()._take(uri)
        if len(self.units) == 1:
            self.job.body |= {"units": [uri, *(child for child in self._left if child != uri)], "left": []}

    def _take_back(self, uri: str) -> None:
        parent, *children = self.units
        if uri == parent:
            self.job.body |= {"units": [], "left": children}
        else:
            super()._take_back(uri)

    def _sort(self, uris: Iterable[str]) -> dict[str, Said]:
        parent, *children = uris
        wrong = super()._sort([parent])
        if wrong:
            self.job.body["left"] = children
        return wrong or super()._sort(children)

    def _look(self, uri: str) -> Said:
        if self.units:
            return self._child(uri)
        if sscc_of_uri(uri) is None:
            return Said(Mark.WRONG, "this is a pack", ("first scan the SSCC of what is filled",))
        try:
            unit = self._known(uri)
        except OfflineError as error:
            return Said(Mark.QUESTION, "taken down, not looked at", (named(uri), error.message))
        if unit is not None and unit["place"] != "unpacked":
            return Said(Mark.WRONG, "in use", (named(uri), f"it is {unit['place']} and was filled before"))
        return Said(Mark.GOOD, "is filled now", (named(uri), "scan what goes into it"))

    def _child(self, uri: str) -> Said:
        count = f"{len(self.units)} in {named(self.units[0])}"
        if sscc_of_uri(uri) is None:
            return Said(Mark.GOOD, "goes in", (named(uri), count))
        try:
            unit = self._known(uri)
        except OfflineError as error:
            return Said(Mark.QUESTION, "taken down, not looked at", (named(uri), error.message))
        if unit is None or unit["place"] != "here":
            place = unit["place"] if unit else "not known here"
            return Said(Mark.WRONG, "is not here", (named(uri), f"it is {place}"))
        if unit["inside"]:
            return Said(
                Mark.WRONG, "inside another unit", (named(uri), f"take it out of {named(unit['inside'])} first")
            )
        return Said(Mark.GOOD, "goes in", (named(uri), count))

    def _incomplete(self) -> Said | None:
        return Said(Mark.QUESTION, "nothing goes in yet", (named(self.units[0]),)) if len(self.units) == 1 else None

    def _call(self) -> dict[str, Any]:
        return {"capture": events.packing(self._gln, self.units[0], self.units[1:])}


class Unpacking(Task):
    """Everything is taken out of each unit that is scanned."""

    kind = "unpacking"

    def _look(self, uri: str) -> Said:
        sscc = sscc_of_uri(uri)
        if sscc is None:
            return Said(Mark.WRONG, "this is a pack", ("scan the SSCC of what is emptied",))
        try:
            unit = self._known(uri)
            inside = len(self._gateway.contents(sscc)) if unit else 0
        except OfflineError as error:
            return Said(Mark.QUESTION, "taken down, not looked at", (named(uri), error.message))
        if unit is None or unit["place"] != "here":
            return Said(Mark.WRONG, "is not here", (named(uri), f"it is {unit['place'] if unit else 'not known here'}"))
        return Said(Mark.GOOD, "is emptied", (named(uri), f"{inside} things come out of it"))

    def _call(self) -> dict[str, Any]:
        return {"capture": events.unpacking(self._gln, self.units)}


TASKS: dict[str, type[Task]] = {task.kind: task for task in (Receiving, Shipping, Packing, Unpacking)}


def begin(kind: str, journal: Journal, gateway: Gateway, gln: str | None, receiver: str | None = None) -> Task:
    """A new task. Raises TaskError."""
    if gln is None:
        raise TaskError("to record what happens to goods, give the GLN of these premises", field="gln")
    task = TASKS[kind](journal, gateway, gln)
    if kind == Shipping.kind:
        if receiver is None:
            raise TaskError("to whom? Give the receiver's GLN", field="to")
        task.job.body["receiver"] = receiver
    return task


def go_on(journal: Journal, gateway: Gateway, gln: str | None) -> Task | None:
    """The task that was being done when the program ended."""
    job = journal.unfinished()
    if job is None or job.kind not in TASKS or gln is None:
        return None
    return TASKS[job.kind](journal, gateway, gln, job)


def refused(journal: Journal) -> list[Job]:
    """The tasks that the gateway refused and that nobody has gone on with, the oldest first."""
    return [job for job in journal.all(State.REFUSED) if job.kind in TASKS]


def mend(journal: Journal, gateway: Gateway, gln: str | None) -> Task | None:
    """The oldest task that the gateway refused; None where there is none. `Task.again` goes on with it."""
    jobs = refused(journal)
    return TASKS[jobs[0].kind](journal, gateway, gln, jobs[0]) if jobs and gln is not None else None
