"""The journal of a counter: nothing that was answered is lost, whatever happens to the program."""

import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from packtrace_scanner import journal as module
from packtrace_scanner.answers import Said
from packtrace_scanner.gateway import Gateway, OfflineError
from packtrace_scanner.journal import Job, Journal, JournalError, State
from packtrace_scanner.sender import OFFLINE_SECONDS, Sender
from packtrace_scanner.settings import Settings

WRITER = """
import sys
from pathlib import Path
from packtrace_scanner.journal import Job, Journal, State
journal = Journal(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    journal.write(Job("receiving", {"units": [str(number)]}, State.READY))
    print(number, flush=True)
"""


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    for cut in (0.1, 0.35, 0.6):
        file = tmp_path / f"{cut}.db"
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(file)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(cut)
        child.kill()
        answered = 1 + len(child.stdout.read().split())
        child.wait()
        with_all = Journal(file)
        assert with_all.waiting() in (answered, answered + 1), "every answered scan, and perhaps the one under way"
        first = with_all.next()
        assert first is not None
        assert first.body == {"units": ["1"]}
        with_all.close()


def test_jobs_come_in_order_and_those_whose_outcome_is_open_are_asked_for_in_turn(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    one, two, open_ = Job("a", {}, State.READY), Job("b", {}, State.READY), Job("c")
    for job in (open_, one, two):
        journal.write(job)
    assert journal.next().kind == "a"  # type: ignore[union-attr]
    assert journal.sent(0) is None
    two.state, two.answer = State.SENT, {"id": 7}
    three = Job("d", {}, State.SENT, {"id": 8})
    for job in (two, three):
        journal.write(job)
    assert journal.next().kind == "a"  # type: ignore[union-attr]
    asked = [0]
    for _ in range(3):
        asked.append(journal.sent(asked[-1]).id)  # type: ignore
    assert asked[1:] == [two.id, three.id, two.id]
    assert journal.waiting() == 1
    assert journal.unfinished().id == open_.id  # type: ignore[union-attr]
    journal.drop(open_)
    assert journal.unfinished() is None
    journal.write(open_)  # used again, it is a new one
    assert journal.unfinished().id == open_.id  # type: ignore[union-attr]
    one.body = {"packs": ["urn:x"]}
    journal.write(one)
    journal.drop(one)  # finished: nothing is forgotten
    assert journal.waiting() == 1
    assert journal.of_pack("urn:x", "a") is not None
    journal.close()


def test_what_was_refused_comes_oldest_first_and_until_somebody_goes_on_with_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    jobs = [Job(kind, {}, state) for kind, state in (("a", State.REFUSED), ("b", State.DONE), ("c", State.REFUSED))]
    for job in jobs:
        journal.write(job)
    assert [job.kind for job in journal.refused()] == ["a", "c"]
    jobs[0].state = State.OPEN
    journal.write(jobs[0])
    assert [job.kind for job in journal.refused()] == ["c"]
    journal.close()


def test_a_pack_that_was_refused_may_be_scanned_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    job = Job("dispensing", {"packs": ["urn:x"]}, State.READY)
    journal.write(job)
    assert journal.of_pack("urn:x", "dispensing") is not None
    assert journal.of_pack("urn:x", "receiving") is None
    job.state = State.REFUSED
    journal.write(job)
    assert journal.of_pack("urn:x", "dispensing") is None
    journal.close()


def test_old_jobs_are_forgotten_and_unsent_ones_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j.db")
    for state in State:
        journal.write(Job("dispensing", {"packs": [state.value]}, state))
    journal.close()
    monkeypatch.setattr(module, "KEPT_SECONDS", -1.0)
    journal = Journal(tmp_path / "j.db")
    assert journal.of_pack("done", "dispensing") is None
    assert (journal.waiting(), journal.next().state) == (1, State.READY)  # type: ignore[union-attr]
    assert journal.sent(0).state is State.SENT  # type: ignore[union-attr]
    journal.close()


def test_two_programs_cannot_have_one_journal(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j.db")
    first.write(Job("a"))
    with pytest.raises(JournalError, match="another scanner"):
        Journal(tmp_path / "j.db")
    first.close()
    Journal(tmp_path / "j.db").close()


def test_a_full_disk_is_said_and_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    journal.write(Job("a", {}, State.READY))
    journal._connection.execute("PRAGMA max_page_count=1")
    with pytest.raises(JournalError, match="disk full"):
        journal.write(Job("b", {"units": ["x" * 100_000]}, State.READY))
    assert journal.waiting() == 1
    journal.close()


def test_a_journal_that_cannot_be_read_is_said_once_and_the_sender_goes_on(tmp_path: Path) -> None:
    journal, said = Journal(tmp_path / "j.db"), list[Said]()
    key = tmp_path / "key"
    key.write_text("pt_none")
    key.chmod(0o600)
    gateway = Gateway(Settings(gateway="http://127.0.0.1:9", api_key_file=key))
    sender = Sender(journal, gateway, said.append)
    journal._connection.execute("ALTER TABLE job RENAME TO gone")
    for look in (journal.next, journal.waiting, journal.refused):
        with pytest.raises(JournalError, match="cannot be read"):
            look()
    assert [sender.step(), sender.step()] == [OFFLINE_SECONDS, OFFLINE_SECONDS]
    assert [one.headline for one in said] == ["nothing can be sent"]
    journal._connection.execute("ALTER TABLE gone RENAME TO job")
    assert sender.step() is None
    gateway.close()
    journal.close()


def test_what_answers_in_the_gateways_place_is_named_without_a_password(tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"a router's page")

        def log_message(self, *_: object) -> None:
            pass

    key = tmp_path / "key"
    key.write_text("pt_none")
    key.chmod(0o600)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://counter:secret@127.0.0.1:{server.server_port}"
        gateway = Gateway(Settings(gateway=url, api_key_file=key))
        with pytest.raises(OfflineError, match=r"no gateway of packtrace.*127\.0\.0\.1") as caught:
            gateway.unit("095060000000000084")
        gateway.close()
    assert "secret" not in str(caught.value)


def test_a_disk_that_takes_nothing_is_said_and_what_is_written_later_is_there(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    job = Job("a", {}, State.READY)
    journal._connection.execute("PRAGMA query_only=ON")
    with pytest.raises(JournalError, match="nothing can be written down"):
        journal.write(job)
    journal._connection.execute("PRAGMA query_only=OFF")
    journal.write(job)
    assert journal.next().id == job.id  # type: ignore[union-attr]
    journal.close()
