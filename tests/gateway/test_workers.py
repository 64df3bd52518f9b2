"""Background work: repeats, waits, wakes, survives failures, stops."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from packtrace.errors import ChainUnreachable
from packtrace_gateway import workers as module
from packtrace_gateway.workers import Worker, Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.stop(5)


def eventually(condition: object, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def test_a_step_is_repeated_after_the_time_it_asked_for(workers: Workers) -> None:
    times: list[float] = []

    def step() -> float:
        times.append(time.monotonic())
        return 0.05

    workers.add("steps", step)
    workers.start()
    eventually(lambda: len(times) >= 4)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= 0.045


def test_wake_ends_the_wait(workers: Workers) -> None:
    runs: list[int] = []

    def step() -> float:
        runs.append(1)
        return 3600

    worker = workers.add("sleeper", step)
    workers.start()
    eventually(lambda: len(runs) == 1)
    worker.wake()
    eventually(lambda: len(runs) == 2)


def test_a_wake_during_the_step_is_not_lost(workers: Workers) -> None:
    runs: list[int] = []
    inside, go_on = threading.Event(), threading.Event()

    def step() -> float:
        runs.append(1)
        inside.set()
        go_on.wait(5)
        return 3600

    worker = workers.add("busy", step)
    workers.start()
    inside.wait(5)
    worker.wake()
    go_on.set()
    eventually(lambda: len(runs) == 2)


def test_a_failing_step_is_tried_again_and_its_health_says_so(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF", 0.03)
    runs: list[int] = []

    def step() -> float:
        runs.append(1)
        if len(runs) < 4:
            raise ChainUnreachable("the node at http://secret did not answer")
        return 3600

    worker = workers.add("shaky", step)
    workers.start()
    eventually(lambda: worker.health().failures == 3)
    broken = worker.health()
    assert (broken.running, broken.error) == (True, "ChainUnreachable")
    eventually(lambda: worker.health().last_success is not None)
    assert (worker.health().failures, worker.health().error) == (0, None)
    assert "shaky failed (1 in a row): the node at http://secret did not answer" in caplog.text


def test_a_surprise_is_logged_with_its_traceback_once(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF", 0.01)
    worker = workers.add("broken", lambda: 1 / 0)
    workers.start()
    eventually(lambda: worker.health().failures >= 3)
    workers.stop()
    assert caplog.text.count("Traceback") == 1


def test_wake_does_not_cut_the_pause_after_a_failure_short(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF", 0.2)
    runs: list[int] = []

    def step() -> float:
        runs.append(1)
        raise ValueError

    worker = workers.add("hot", step)
    workers.start()
    eventually(lambda: worker.health().failures == 1)
    for _ in range(50):
        worker.wake()
        time.sleep(0.001)
    assert len(runs) == 1


def test_stop_ends_waiting_workers_at_once_and_lets_a_step_finish(workers: Workers) -> None:
    finished: list[int] = []
    inside = threading.Event()

    def slow() -> float:
        inside.set()
        time.sleep(0.1)
        finished.append(1)
        return 3600

    workers.add("slow", slow)
    workers.add("waiting", lambda: 3600)
    workers.start()
    inside.wait(5)
    started = time.monotonic()
    workers.stop()
    assert time.monotonic() - started < 2
    assert finished == [1]
    assert not any(worker.running for worker in workers.health())


def test_a_worker_can_see_that_it_is_to_stop() -> None:
    workers = Workers()
    seen = threading.Event()

    def step() -> float:
        while not worker.stopping:
            time.sleep(0.002)
        seen.set()
        return 0

    worker: Worker = workers.add("long", step)
    workers.start()
    workers.stop(5)
    assert seen.is_set()


def test_two_workers_of_one_name_are_refused(workers: Workers) -> None:
    workers.add("one", lambda: 1)
    with pytest.raises(ValueError, match="there is a worker one already"):
        workers.add("one", lambda: 1)
