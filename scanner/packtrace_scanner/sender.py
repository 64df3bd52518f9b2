"""Sends finished jobs to the gateway, in the background, until each has its outcome."""

import logging
import threading
import time
from typing import Any

from packtrace_scanner.answers import Mark, Said, Tell, listed, named
from packtrace_scanner.gateway import Gateway, NotNowError, OfflineError, RefusedError
from packtrace_scanner.journal import Job, Journal, JournalError, State

log = logging.getLogger(__name__)

OFFLINE_SECONDS = 5.0
FOLLOW_SECONDS = 0.5
DISPENSING = "dispensing"
WAY_OUT = "packtrace:aside sets it aside and sends what comes behind it; it is kept here"


class Sender:
    """A thread; `wake` it when a job is ready. What becomes of a job is told with `tell`."""

    def __init__(self, journal: Journal, gateway: Gateway, tell: Tell) -> None:
        self._journal = journal
        self._gateway = gateway
        self._tell = tell
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._troubles: set[str] = set()  # what is in the way, as it was told
        self._held: Job | None = None  # cannot be sent, and holds up those behind it
        self._asked = 0  # number of the job whose outcome was asked for last
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def set_aside(self) -> Job | None:
        """Take the job that cannot be sent out of the way of those behind it; None where none is in the way.

        An answer that comes after all is written down as ever. Raises JournalError.
        """
        job, self._held = self._held, None
        if job is None or not self._journal.set_aside(job):
            return None
        self._troubles = set()
        self.wake()
        return job

    def stop(self, seconds: float) -> None:
        """End; what is being sent may take so long."""
        self._stop.set()
        self._wake.set()
        self._thread.join(seconds)

    def idle(self, seconds: float) -> bool:
        """Wait until nothing is left to send or to follow, at most so long."""
        limit = time.monotonic() + seconds
        while self._journal.next() is not None:
            if time.monotonic() >= limit:
                return False
            time.sleep(0.05)
        return True

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            self._wake.wait(self.step())

    def step(self) -> float | None:
        """Send one job, and ask for the outcome of one that was sent; the seconds until the next time (None: until
        there is one). A pack that waits for its block holds nothing up, nor does a job that cannot be sent now."""
        try:
            job, sent = self._journal.next(), self._journal.sent(self._asked)
        except JournalError as error:
            self._troubles = {self._trouble("nothing can be sent", error.message)}
            return OFFLINE_SECONDS
        if job is None:
            return None
        ready = [job] if job.state is State.READY else []
        if sent is not None:
            self._asked = sent.id or 0
        troubles = {trouble for one in (*ready, sent) if one is not None and (trouble := self._tried(one))}
        if self._troubles and not troubles:
            self._tell(Said(Mark.GOOD, "it works again", ()))
        self._troubles = troubles
        if troubles:
            return OFFLINE_SECONDS
        return 0.0 if ready else FOLLOW_SECONDS

    def _tried(self, job: Job) -> str | None:
        """What is in the way of a job, if anything is."""
        ready = job.state is State.READY
        try:
            self._try(job)
        except OfflineError as error:
            said = (str(error.value),) if error.value else ()
            if ready:
                self._held = job
                if isinstance(error, NotNowError):
                    return self._trouble(f"{job.kind} waits", error.message, *said, *about(job), WAY_OUT, job=job.id)
            return self._trouble("offline", error.message, *said)
        except JournalError as error:  # perhaps the gateway has done it: it is asked again, and does it once
            return self._trouble("nothing can be written down", error.message)
        if ready:
            self._held = None
        return None

    def _trouble(self, headline: str, why: str, *more: str, job: int | None = None) -> str:
        """Say, once, what is in the way (of one job, or of all); it is tried again, as often as it takes."""
        trouble = f"{job} {why}"
        if trouble not in self._troubles:
            last = "what is scanned is kept here and sent when this is over"
            self._tell(Said(Mark.QUESTION, headline, (why, *more, last)))
        return trouble

    def _try(self, job: Job) -> None:
        try:
            self._advance(job)
        except RefusedError as error:
            self._ended(job, State.REFUSED, {"refused": error.message, "about": error.value})
        except (OfflineError, JournalError):
            raise
        except Exception as error:
            log.exception("job %s cannot be sent", job.id)
            what = f"an error of this program: {type(error).__name__}"
            self._ended(job, State.REFUSED, {"refused": f"{what}; look at the gateway whether it is recorded"})

    def _advance(self, job: Job) -> None:
        if job.kind == DISPENSING:
            self._dispense(job)
            return
        call = job.body["call"]
        done = self._gateway.receive(call["receive"]) if "receive" in call else self._gateway.capture(call["capture"])
        self._ended(job, State.DONE, {"events": done["events"]})

    def _dispense(self, job: Job) -> None:
        if job.state is State.READY:
            job.answer = self._gateway.dispense(job.body["pack"], job.body["request"])
            job.state = State.SENT
            self._journal.write(job)
            return
        assert job.answer is not None
        job.answer = self._gateway.operation(job.answer["id"])
        if job.answer["state"] != "pending":
            (pack,) = job.answer["packs"]
            good = pack["outcome"] == "dispensed"
            self._ended(job, State.DONE if good else State.REFUSED, job.answer)

    def _ended(self, job: Job, state: State, answer: dict[str, Any]) -> None:
        job.state, job.answer = state, answer
        self._journal.write(job)
        self._tell(_outcome(job))


def about(job: Job) -> list[str]:
    """What a job is of, by name."""
    return listed(job.body.get("units") or job.body.get("packs") or ())


def _outcome(job: Job) -> Said:
    """What became of a job, for people. A pack that went out unseen and is not good must be fetched back."""
    answer = job.answer or {}
    if job.kind != DISPENSING:
        units = tuple(listed(job.body.get("units", ())))
        if job.state is State.DONE:
            return Said(Mark.GOOD, f"{job.kind}: recorded", units[:3])
        about = (named(str(answer["about"])),) if answer.get("about") else ()
        what_now = "it is kept here; packtrace:mend goes on with it, without what is wrong, or when the cause is gone"
        lines = (str(answer.get("refused")), *about, "all that was scanned:", *units, what_now)
        return Said(Mark.WRONG, f"{job.kind} was refused", lines)
    pack = job.body["pack"]
    lines = (
        f"GTIN {pack['gtin']}    serial {pack['serial']}",
        *((f"case {answer['case']}",) if answer.get("case") else ()),
    )
    if job.state is State.DONE:
        return Said(Mark.GOOD, "dispensed", lines)
    words = str(answer.get("refused") or answer.get("error") or answer["packs"][0]["outcome"])
    headline = "not dispensed"
    if job.body.get("unseen"):
        headline = "was given out offline, and is not good"
        lines = (*lines, "find the patient and the pack now, and report it")
    return Said(Mark.WRONG, headline, (*lines, words))
