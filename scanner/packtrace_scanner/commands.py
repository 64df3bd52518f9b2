"""`packtrace scan`: codes from a picture, a video or a camera, and the verdict on each pack."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console

if TYPE_CHECKING:
    from packtrace_scanner.answers import Said
    from packtrace_scanner.images import Frame
    from packtrace_scanner.print_quality import Quality
    from packtrace_scanner.reading import Meaning
    from packtrace_scanner.settings import Settings
    from packtrace_scanner.sources import Source, Typed
    from packtrace_scanner.symbols import Reading
    from packtrace_scanner.verifier import Verified, Verifier

# The decoders take a moment to load, so they are loaded when they are needed; but where they are not installed, there
# is no such command.
for _needed in ("cv2", "zxingcpp"):
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

NOT_AUTHENTIC = 3
"""Exit status when at least one pack's verdict was not "authentic, available"."""

NOTHING_READ = 4
"""Exit status when neither a pack nor a logistic unit was read."""

LAST_FRAME = 5.0
"""Seconds that a source's last frames may still take when it has ended."""

SEEN_AGAIN = 3.0
"""Seconds for which a code has to be out of sight of a camera before it counts as scanned anew."""

LOST = (
    "Nothing is known of this pack. Perhaps the scanner has lost the separators of its code: a pack is known that "
    "would be read so then. Set the scanner to send GS (packtrace scan-setup shows what it sends) and scan again. That "
    "pack:"
)
UNSEEN = ": more light, nearer, sharper?"
SOURCE = (
    "An image, a folder of images, a video, - for pictures on standard input, a camera as camera:0, camera:NAME or "
    "rtsp://…; a hand scanner as keyboard or as serial:/dev/ttyACM0."
)

app = typer.Typer()


@app.command()
def scan(
    source: Annotated[str, typer.Argument(help=SOURCE)],
    gateway: Annotated[str | None, typer.Option(help="URL of your company's gateway.")] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="File with the API key to the gateway.")] = None,
    node: Annotated[str | None, typer.Option(help="URL of the node that YOU trust for facts about the chain.")] = None,
    deployment: Annotated[Path | None, typer.Option(help="File that names the contracts on that chain.")] = None,
    place: Annotated[int | None, typer.Option(help="Party number of the premises where this scanner stands.")] = None,
    config: Annotated[Path | None, typer.Option(help="A scanner.toml with these settings.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after the first pack or logistic unit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One line of JSON for each code.")] = False,
) -> None:
    """Read codes and say what each pack is.

    Proofs come from your gateway, facts about the chain from your own node. Without them a code is read, not verified.
    Ends with status 3 if a pack is not authentic and available, 4 if nothing was read.
    """
    from packtrace_scanner.hand_scanner import is_hand_scanner
    from packtrace_scanner.settings import Settings, load

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that lacks a character still shows the verdict
            stream.reconfigure(errors="replace")
    base = load(config) if config else Settings()
    settings = base.with_options(
        gateway=gateway, api_key_file=api_key_file, node=node, deployment=deployment, place=place
    )
    output = _Output(Console(), Console(stderr=True), json)
    opened = _open(source, output)
    verifier = _verifier(settings)
    try:
        if opened.live:
            output.tell(f"looking at {opened.name}; Ctrl-C ends")
        for frame, meaning in _meanings(opened, settings, output):
            output.show(frame, meaning, verifier)
            if once and output.items:
                break
    except KeyboardInterrupt:  # how a camera is left
        pass
    finally:
        if verifier:
            verifier.close()
    if not output.items:
        output.tell(f"no code of a pack or a logistic unit in {opened.name}{'' if is_hand_scanner(source) else UNSEEN}")
    if not output.items or output.bad:
        raise typer.Exit(NOT_AUTHENTIC if output.items else NOTHING_READ)


@app.command()
def work(
    source: Annotated[str, typer.Argument(help=SOURCE)],
    config: Annotated[Path, typer.Option(help="A scanner.toml, with gln and journal for what is recorded.")],
    do: Annotated[
        str, typer.Option(help="To begin with: verify, dispense, receive, ship:GLN, pack or unpack.")
    ] = "verify",
    wait: Annotated[float, typer.Option(min=0, help="At the end, seconds to wait for what is not sent yet.")] = 30.0,
    bell: Annotated[bool, typer.Option(help="Ring the terminal's bell: once for good, three times for wrong.")] = True,
) -> None:
    """Receive, ship, pack, dispense and verify by scanning. What is scanned is kept through power cuts and offline.

    What to do is scanned or typed as packtrace:receive, packtrace:done, packtrace:undo and so on. Ends with status 3 if
    something scanned was wrong.
    """
    from packtrace_scanner import tasks
    from packtrace_scanner.gateway import Gateway
    from packtrace_scanner.journal import Journal, State
    from packtrace_scanner.sender import Sender
    from packtrace_scanner.settings import load
    from packtrace_scanner.verifier import Verifier
    from packtrace_scanner.work import MODES, Parts, Work

    if do.partition(":")[0] not in MODES:
        raise typer.BadParameter(f"{do} is nothing that is done here; there are {', '.join(MODES)}")

    settings = load(config)
    journal = Journal(settings.journal or config.with_name("journal.db"))
    output = _Output(Console(), Console(stderr=True), False, bell=bell)
    gateway = Gateway(settings)
    parts = Parts(Verifier(settings), gateway, journal, Sender(journal, gateway, output.say), settings.gln)
    working = Work(parts, output.say, output.verdict)
    parts.sender.start()
    try:
        working.command(do)
        opened = _open(source, output)
        output.tell(f"looking at {opened.name}; Ctrl-C ends")
        for _, meaning in _meanings(opened, settings, output):
            working.take(meaning)
    except KeyboardInterrupt:
        pass
    finally:
        if not parts.sender.idle(wait) and (left := journal.waiting()):
            output.tell(f"{left} jobs wait for the gateway; they are sent when this is started again")
        if refused := tasks.refused(journal):
            output.tell(f"refused and kept here: {len(refused)}; packtrace:mend goes on with the first")
        if aside := journal.all(State.ASIDE):
            output.tell(f"set aside and kept here: {len(aside)}; packtrace:resend sends them")
        parts.sender.stop(wait)
        parts.verifier.close()
        gateway.close()
        journal.close()
    if output.bad:
        raise typer.Exit(NOT_AUTHENTIC)


@app.command("print-quality")
def print_quality(
    source: Annotated[str, typer.Argument(help="The line's camera, or pictures: as for scan, but no hand scanner.")],
    limit: Annotated[str, typer.Option(help="The worst grade that is let through: A, B, C or D.")] = "C",
    json: Annotated[bool, typer.Option("--json", help="One line of JSON for each code.")] = False,
) -> None:
    """Estimate how well each Data Matrix is printed, and reject what is below a limit.

    An estimate in the manner of ISO/IEC 15415, not a verifier's grade. Ends with status 3 if a code was rejected, 4 if
    none was read.
    """
    from packtrace_scanner.hand_scanner import is_hand_scanner
    from packtrace_scanner.images import Frame, SourceError
    from packtrace_scanner.print_quality import LETTERS, estimate
    from packtrace_scanner.settings import Settings

    if limit not in LETTERS[1:]:
        raise typer.BadParameter(f"{limit} is no limit; give A, B, C or D")
    if is_hand_scanner(source):
        raise SourceError("a hand scanner shows no print; give a camera or pictures", field="source", value=source)
    output = _Output(Console(), Console(stderr=True), json)
    opened = _open(source, output)
    try:
        if opened.live:
            output.tell(f"looking at {opened.name}; Ctrl-C ends")
        for frame, meaning in _meanings(opened, Settings(), output):
            quality = estimate(frame.gray, meaning.readings[0]) if isinstance(frame, Frame) else None
            if quality is not None:
                output.print_quality(frame.name, meaning, quality, rejected=quality.grade < LETTERS.index(limit))
    except KeyboardInterrupt:  # how a camera is left
        pass
    if not output.items:
        output.tell(f"no Data Matrix in {opened.name}{UNSEEN}")
    if not output.items or output.bad:
        raise typer.Exit(NOT_AUTHENTIC if output.items else NOTHING_READ)


@app.command("work-codes")
def work_codes(
    file: Annotated[Path, typer.Argument(help="The PNG to write.")],
    to: Annotated[list[str] | None, typer.Option(help="GLN of a receiver that is shipped to (repeatable).")] = None,
) -> None:
    """Write a page of command codes to lie on the counter: receive, done, undo and so on."""
    from packtrace.gs1 import keys
    from packtrace_scanner.hand_setup import command_sheet
    from packtrace_scanner.work import COMMANDS

    receivers = [f"ship:{keys.gln(gln)}" for gln in to or ()]
    command_sheet([*(command for command in COMMANDS if command != "ship"), *receivers], file)


@app.command("scan-setup")
def scan_setup(
    source: Annotated[str, typer.Argument(help="The hand scanner: keyboard, or serial:/dev/ttyACM0.")],
    picture: Annotated[Path | None, typer.Option(help="Write the test code here as a PNG too, to print it.")] = None,
) -> None:
    """Show a test code, and say what a hand scanner really sends for it and what to change.

    Ends with status 3 if its codes cannot be read so.
    """
    from packtrace_scanner import hand_setup
    from packtrace_scanner.hand_scanner import is_hand_scanner, open_hand_scanner
    from packtrace_scanner.images import SourceError

    if not is_hand_scanner(source):
        raise SourceError("this is no hand scanner; give keyboard or serial:DEVICE", field="source", value=source)
    console = Console(highlight=False)
    modules = hand_setup.picture()
    if picture:
        hand_setup.write_png(modules, picture)
    print(hand_setup.for_terminal(modules))
    console.print("Scan this code once, where the scanner will be used." + (f" It is in {picture}." if picture else ""))
    sent = next(iter(open_hand_scanner(source).frames), None)
    found = hand_setup.diagnose(getattr(sent, "text", ""))
    for finding in found.findings:
        mark, style = ("✔", "green") if finding.good else ("✖", "bold yellow")
        console.print(f"  {mark} it {finding.what}", style=style, markup=False)
        if finding.advice:
            console.print(f"      {finding.advice}", markup=False)
    if not found.usable:
        console.print("Codes cannot be read so: change what is marked, and run this again.", style="bold red")
        raise typer.Exit(NOT_AUTHENTIC)
    if found.settings:
        console.print("As it is set now, put this into scanner.toml:")
        for name, value in found.settings.items():
            print(f"{name} = {orjson.dumps(value).decode()}")  # a JSON string is a TOML string
    else:
        console.print("It is set up well; scanner.toml needs nothing for it.", style="green")


def _verifier(settings: "Settings") -> "Verifier | None":
    """None where nothing at all is configured: then codes are only read."""
    if not settings.verifies:
        return None
    from packtrace_scanner.verifier import Verifier

    return Verifier(settings)


def _open(source: str, output: "_Output") -> "Source":
    from packtrace_scanner.hand_scanner import is_hand_scanner, open_hand_scanner
    from packtrace_scanner.sources import open_source

    if is_hand_scanner(source):
        return open_hand_scanner(source)
    return open_source(source, problem=lambda error: output.tell(str(error)))


def _meanings(source: "Source", settings: "Settings", output: "_Output") -> "Iterator[tuple[Frame | Typed, Meaning]]":
    """What is scanned, each code once: again only when it was out of sight for a while, or in another picture.

    What a hand scanner sends was scanned on purpose, every time.
    """
    from packtrace_scanner.live import Sight
    from packtrace_scanner.reading import interpret, meaning_of_text
    from packtrace_scanner.sources import Typed

    sight = Sight(SEEN_AGAIN)
    for frame, readings in _read(source, output):
        if isinstance(frame, Typed):
            yield frame, meaning_of_text(frame.text, settings.separator, settings.without_identifier)
            continue
        for meaning in interpret(readings):
            code = tuple((reading.symbology, reading.text) for reading in meaning.readings)
            if not source.live or sight.comes(code, frame.time):
                yield frame, meaning


def _read(source: "Source", output: "_Output") -> "Iterator[tuple[Frame | Typed, list[Reading]]]":
    """Each frame with the readings in it that count; what was typed has none."""
    from packtrace_scanner.decoders import Decoder
    from packtrace_scanner.live import LiveDecoder
    from packtrace_scanner.reading import is_item
    from packtrace_scanner.sources import Typed

    decoder = Decoder(is_item, output.tell)
    with LiveDecoder(is_item, output.tell) as live:
        frame: Frame | Typed | None = None
        for frame in source.frames:
            if isinstance(frame, Typed):
                yield frame, []
            elif source.live:
                yield frame, live.read(frame.gray)
            else:
                yield frame, _proved(frame.name, decoder.read(frame.gray), output)
        if source.live and frame is not None and not isinstance(frame, Typed):
            yield frame, live.finish(LAST_FRAME)


def _proved(name: str, readings: "list[Reading]", output: "_Output") -> "list[Reading]":
    """The readings of a still picture that are certain; of the others it is said that they do not count."""
    for kind in dict.fromkeys(reading.kind for reading in readings if not reading.certain):
        output.tell(
            f"{name}: a {kind} was read, but one picture does not prove what it says, so it does not count;"
            " take another one, nearer or in better light, or hold the code before a camera"
        )
    return [reading for reading in readings if reading.certain]


class _Output:
    """Shows what was scanned, for people or for programs, and counts."""

    def __init__(self, console: Console, errors: Console, json: bool, *, bell: bool = False) -> None:
        self._console = console
        self._errors = errors
        self._json = json
        self._bell = bell
        self.items = 0
        self.bad = 0

    def tell(self, message: str) -> None:
        """Something to know that is no result."""
        self._errors.print(message, style="yellow", markup=False, highlight=False)

    def say(self, said: "Said") -> None:
        """The answer to one scan, or what became of a job."""
        from packtrace_scanner import terminal

        self.bad += said.mark == "wrong"
        terminal.show_said(self._console, said, bell=self._bell)

    def verdict(self, verified: "Verified") -> None:
        """A pack's verdict in full."""
        from packtrace_scanner import terminal

        self.items += 1
        self.bad += not verified.authentic
        terminal.show_verdict(self._console, verified.verdict)
        for note in verified.notes:
            self.tell(note)
        if verified.merged:
            self.tell(f"{LOST} {verified.merged.bracketed()}")

    def print_quality(self, frame: str, meaning: "Meaning", quality: "Quality", *, rejected: bool) -> None:
        """The estimate of one code's print."""
        from packtrace_scanner.print_quality import LETTERS
        from packtrace_scanner.reading import NotMedicine

        self.items += 1
        self.bad += rejected
        elements = {} if isinstance(meaning, NotMedicine) else dict(meaning.elements.pairs)
        grades = {name: LETTERS[grade] for name, grade in quality.grades.items()}
        if self._json:
            line: dict[str, Any] = {
                "frame": frame,
                "serial": elements.get("21"),
                "grade": quality.letter,
                "rejected": rejected,
            }
            line |= {"worst": quality.worst, "grades": grades, "module": round(quality.module, 1)}
            sys.stdout.write(orjson.dumps(line).decode() + "\n")
            sys.stdout.flush()
            return
        words = f"{'REJECT' if rejected else 'good'}: {quality.letter} by an estimate ({', '.join(quality.worst)})"
        self._console.print(words, style="bold red" if rejected else "green", markup=False)
        listed = ", ".join(f"{name} {letter}" for name, letter in grades.items())
        self._console.print(f"  {frame}, serial {elements.get('21')}: {listed}", markup=False)

    def show(self, frame: "Frame | Typed", meaning: "Meaning", verifier: "Verifier | None") -> None:
        """Show one code; verify it if it is a pack's."""
        from packtrace_scanner.reading import NotMedicine, ScannedPack

        verified = None
        if isinstance(meaning, ScannedPack) and verifier:
            verified = verifier.verify_pack(meaning)
        if not isinstance(meaning, NotMedicine) and meaning.remark and not self._json:
            self.tell(meaning.remark)
        if not verified or self._json:  # else `verdict` counts
            self.items += not isinstance(meaning, NotMedicine)
            self.bad += verified is not None and not verified.authentic
        if self._json:
            line = orjson.dumps(_as_json(frame, meaning, verified), option=orjson.OPT_APPEND_NEWLINE)
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        else:
            self._print(frame, meaning, verified)

    def _print(self, frame: "Frame | Typed", meaning: "Meaning", verified: "Verified | None") -> None:
        from packtrace.gs1.application_identifiers import application_identifier
        from packtrace_scanner import terminal
        from packtrace_scanner.reading import NotMedicine, ScannedLogisticUnit

        where = f"{meaning.readings[0].kind} in {frame.name}"
        if verified:
            self.verdict(verified)
        elif isinstance(meaning, NotMedicine):
            terminal.show_refusal(self._console, "not a medicine code", [meaning.reason, where])
        elif isinstance(meaning, ScannedLogisticUnit):
            pairs = sorted(meaning.elements.pairs)  # the SSCC, AI (00), comes first
            lines = [f"{application_identifier(ai).title} {value}" for ai, value in pairs]
            terminal.show_reading(self._console, "logistic unit", [*lines, where])
        else:
            lines = terminal.pack_lines(meaning.scan)
            lines += [f"national number {meaning.national_number}"] if meaning.national_number else []
            unchecked = "Nothing was checked. To verify, give --gateway, --api-key-file, --node, --deployment, --place"
            terminal.show_reading(self._console, "read, not verified", [*lines, where, f"{unchecked} or --config."])


def _as_json(frame: "Frame | Typed", meaning: "Meaning", verified: "Verified | None") -> dict[str, Any]:
    from packtrace_scanner.reading import NotMedicine, ScannedPack

    line: dict[str, Any] = {"frame": frame.name, "time": round(frame.time, 3)}
    line["codes"] = [
        {
            "symbology": reading.symbology,
            "text": reading.text,
            "corners": reading.corners,
            "decoder": reading.decoder,
        }
        for reading in meaning.readings
    ]
    if isinstance(meaning, NotMedicine):
        return line | {"kind": "other", "reason": meaning.reason}
    line["elements"], line["remark"] = dict(meaning.elements.pairs), meaning.remark
    if not isinstance(meaning, ScannedPack):
        return line | {"kind": "logistic unit", "sscc": meaning.sscc}
    scan = meaning.scan
    line |= {"kind": "pack", "gtin": scan.gtin, "serial": scan.serial, "lot": scan.lot, "expiry": scan.expiry}
    line["verdict"] = verified.verdict.to_json() if verified else None
    line["notes"] = list(verified.notes) if verified else []
    line["merged"] = dict(verified.merged.pairs) if verified and verified.merged else None
    return line
