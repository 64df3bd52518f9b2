"""The journal of a counter: nothing that was answered is lost, whatever happens to the program."""

import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest

from packtrace_scanner import gateway as gateways
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
    assert [job.kind for job in journal.all(State.REFUSED)] == ["a", "c"]
    jobs[0].state = State.OPEN
    journal.write(jobs[0])
    assert [job.kind for job in journal.all(State.REFUSED)] == ["c"]
    journal.close()


def test_what_is_set_aside_comes_back_to_its_place_in_the_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    first, second = Job("a", {"packs": ["urn:x"]}, State.READY), Job("b", {}, State.READY)
    sent = Job("c", {}, State.SENT)
    for job in (first, second, sent):
        journal.write(job)
    assert journal.set_aside(first)
    assert not journal.set_aside(first), "it is aside"
    assert not journal.set_aside(sent), "the gateway has it"
    assert (journal.next().kind, journal.waiting()) == ("b", 1)  # type: ignore[union-attr]
    assert journal.of_pack("urn:x", "a") is not None, "its pack is not dispensed again meanwhile"
    journal.close()
    journal = Journal(tmp_path / "j.db")
    assert [job.kind for job in journal.all(State.ASIDE)] == ["a"]
    assert journal.send_again() == 1
    assert (journal.next().kind, journal.waiting(), journal.send_again()) == ("a", 2, 0)  # type: ignore[union-attr]
    journal.close()


def test_a_gateway_that_is_too_slow_for_one_job_lets_the_next_one_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if b"slow" in self.rfile.read(int(self.headers["content-length"])):
                answered.wait(30)
            else:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"events": []}')

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(gateways, "TIMEOUT", 0.5)
    key = tmp_path / "key"
    key.write_text("pt_none")
    key.chmod(0o600)
    journal, said = Journal(tmp_path / "j.db"), list[Said]()
    for name in ("slow", "quick"):
        journal.write(Job("receiving", {"units": [f"urn:{name}"], "call": {"capture": {"is": name}}}, State.READY))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gateway = Gateway(Settings(gateway=f"http://127.0.0.1:{server.server_port}", api_key_file=key))
        sender = Sender(journal, gateway, said.append)
        assert sender.set_aside() is None, "nothing was tried yet"
        assert [sender.step(), sender.step()] == [OFFLINE_SECONDS, OFFLINE_SECONDS]
        assert [one.headline for one in said] == ["receiving waits"]
        assert "urn:slow" in said[0].lines
        assert "packtrace:aside" in said[0].lines[-2]
        assert sender.set_aside().body["units"] == ["urn:slow"]  # type: ignore[union-attr]
        assert sender.set_aside() is None
        assert [sender.step(), sender.step()] == [0.0, None]
        assert [(one.headline, one.lines) for one in said[1:]] == [("receiving: recorded", ("urn:quick",))]
        answered.set()
        server.shutdown()
        gateway.close()
    assert [job.state for job in journal.all(State.ASIDE)] == [State.ASIDE]
    journal.close()


def test_an_answer_that_comes_while_its_job_is_set_aside_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    job = Job("receiving", {"units": []}, State.READY)
    journal.write(job)
    under_way = journal.next()
    assert under_way is not None
    assert journal.set_aside(job)
    under_way.state = State.DONE
    journal.write(under_way)
    assert (journal.send_again(), journal.next()) == (0, None)
    journal.write(Job("receiving", {"units": []}, State.READY, id=job.id))
    under_way.state = State.REFUSED
    journal.write(under_way)
    assert not journal.set_aside(job), "nor is it set aside when it has its answer"
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
    assert [job.body for job in journal.all(State.ASIDE)] == [{"packs": ["aside"]}]
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
    for look in (journal.next, journal.waiting, lambda: journal.all(State.REFUSED)):
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
