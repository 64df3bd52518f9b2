"""Background work: named threads that run one small step again and again.

A step returns the seconds until it wants to run again. A step that fails is logged and tried again, later
each time; it never ends the thread, and never the gateway.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from packtrace.errors import PacktraceError

log = logging.getLogger(__name__)

FIRST_BACKOFF = 0.5  # seconds after the first failure, doubled with each further one
LONGEST_BACKOFF = 60.0
STOP_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """State of one worker.

    Times are unix times in seconds. `error` is the class of the last error, never its text: /health is open.
    """

    name: str
    running: bool
    last_success: float | None
    last_failure: float | None
    error: str | None
    failures: int  # in a row; 0 after a success


class Worker:
    """A thread that calls `run_once` until it is stopped.

    `run_once` returns the seconds to wait before the next call; `wake()` ends that wait early. Between failures
    `wake()` has no effect, so that a busy caller cannot turn a broken step into a hot loop. A long step should
    look at `stopping`.
    """

    def __init__(self, name: str, run_once: Callable[[], float]) -> None:
        self.name = name
        self._run_once = run_once
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_success: float | None = None
        self._last_failure: float | None = None
        self._error: str | None = None
        self._failures = 0

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def wake(self) -> None:
        """Run again now (or right after the step that is running)."""
        self._wake.set()

    def start(self) -> None:
        if self._thread is not None:
            raise RuntimeError(f"worker {self.name} was started before")
        self._thread = threading.Thread(target=self._run, name=f"packtrace-{self.name}", daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait for the step that is running; False when it takes longer than `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def health(self) -> Health:
        running = self._thread is not None and self._thread.is_alive()
        return Health(self.name, running, self._last_success, self._last_failure, self._error, self._failures)

    def _run(self) -> None:
        while not self.stopping:
            self._wake.clear()
            try:
                delay = self._run_once()
            except Exception as error:
                self._failed(error)
                self._stop.wait(min(FIRST_BACKOFF * 2 ** min(self._failures - 1, 16), LONGEST_BACKOFF))
            else:
                self._succeeded()
                self._wake.wait(max(delay, 0.0))

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._last_failure = time.time()
        self._error = type(error).__name__
        # The traceback of a surprise, once; otherwise one line.
        unexpected = self._failures == 1 and not isinstance(error, PacktraceError)
        log.warning("%s failed (%d in a row): %s", self.name, self._failures, error, exc_info=unexpected)

    def _succeeded(self) -> None:
        if self._failures:
            log.info("%s works again after %d failures", self.name, self._failures)
        self._failures = 0
        self._error = None
        self._last_success = time.time()


class Workers:
    """All background work of a gateway, started and stopped together."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._at_the_end: list[Callable[[], None]] = []

    def add(self, name: str, run_once: Callable[[], float]) -> Worker:
        """A new worker; it starts with `start()`. Names are unique."""
        if any(worker.name == name for worker in self._workers):
            raise ValueError(f"there is a worker {name} already")
        worker = Worker(name, run_once)
        self._workers.append(worker)
        return worker

    def at_the_end(self, action: Callable[[], None]) -> None:
        """Call `action` once all workers have stopped, to give back what they held."""
        self._at_the_end.append(action)

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Ask all to stop and wait for the steps that are running, `timeout` seconds altogether."""
        for worker in self._workers:
            worker.request_stop()
        deadline = time.monotonic() + timeout
        for worker in self._workers:
            if not worker.join(max(deadline - time.monotonic(), 0.0)):
                log.error("%s did not stop within %.0f seconds", worker.name, timeout)
        for action in self._at_the_end:
            try:
                action()
            except Exception:
                log.exception("something was not given back at the end")

    def health(self) -> list[Health]:
        return [worker.health() for worker in self._workers]
