"""The verdict on a terminal: unmistakable in words, in colour and in shape, with its reasons, checks and history."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from packtrace.gs1 import sscc_of_uri
from packtrace.scan import Scan
from packtrace.timeline import HistoryEntry
from packtrace.verdict import Check, Headline, Verdict

if TYPE_CHECKING:
    from packtrace_scanner.answers import Said

MAX_TEXT = 200
"""Longest text from outside that is shown on one line."""

MAX_HISTORY = 200
"""Most events shown; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Sign:
    """How one kind of verdict looks: colour, picture, frame."""

    colour: str
    picture: tuple[str, ...]
    frame: box.Box


_TICK = Sign("green", ("        ██", "       ██ ", "██    ██  ", " ██  ██   ", "  ████    "), box.ROUNDED)
_CROSS = Sign("red", ("██      ██", "  ██  ██  ", "    ██    ", "  ██  ██  ", "██      ██"), box.DOUBLE)
_WARNING = Sign("yellow", ("    ██    ", "    ██    ", "    ██    ", "          ", "    ██    "), box.HEAVY)
_QUESTION = Sign("yellow", ("  ██████  ", "██    ██  ", "    ███   ", "          ", "    ██    "), box.HEAVY)
_READ = Sign("blue", ("██ ██ ████", "██ ██ ████", "██ ██ ████", "██ ██ ████", "██ ██ ████"), box.SQUARE)

_SIGNS: dict[Headline, Sign] = {
    Headline.AUTHENTIC: _TICK,
    Headline.CUSTODY_GAP: _WARNING,
    Headline.NOT_VERIFIED: _QUESTION,
}

ADVICE: dict[Headline, str] = {
    Headline.EVIDENCE_BROKEN: "Do not dispense. Quarantine the pack and report it: its papers do not hold.",
    Headline.WRONG_DATA: "Do not dispense. Quarantine the pack and report it: it is not printed as it was made.",
    Headline.UNKNOWN_SERIAL: "Do not dispense. Quarantine the pack and report it: its maker never made this serial.",
    Headline.RECALLED: "Do not dispense. Put the pack aside for the recall.",
    Headline.NOT_ACTIVE: "Do not dispense. Somebody has used this code before; quote the case number.",
    Headline.NOT_RELEASED: "Do not dispense. The lot has not been released.",
    Headline.EXPIRED: "Do not dispense. The pack is past its expiry.",
    Headline.CUSTODY_GAP: "Do not dispense yet. Ask your supplier how this pack came here.",
    Headline.NOT_VERIFIED: "Do not dispense yet. Not every check could be made; try again.",
    Headline.AUTHENTIC: "The pack may be dispensed.",
}
"""What to do, in one line."""

_CHECK_STYLES = {True: ("✔", "passed", "green"), False: ("✖", "FAILED", "bold red"), None: ("–", "not made", "yellow")}


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Print the verdict, the largest thing first."""
    sign = _SIGNS.get(verdict.headline, _CROSS)
    lines = [ADVICE[verdict.headline], *pack_lines(verdict.scan)]
    if verdict.case:
        lines.append(f"case {verdict.case}")
    console.print(_headline(console, sign, verdict.words, lines))
    if verdict.headline is not Headline.AUTHENTIC:
        _section(console, "Why", _bullets(verdict.reasons, sign.colour))
    _section(console, "Checks", _checks(verdict.checks))
    _section(console, "History", _timeline(verdict.history))
    _section(console, "Evidence", _evidence(verdict))


def show_reading(console: Console, headline: str, lines: Iterable[str]) -> None:
    """Print what a code says where nothing was verified; it looks like no verdict."""
    console.print(_headline(console, _READ, headline, list(lines)))


def show_refusal(console: Console, headline: str, lines: Iterable[str]) -> None:
    """Print why a code is not one that can be verified."""
    console.print(_headline(console, _QUESTION, headline, list(lines)))


def show_said(console: Console, said: "Said", *, bell: bool = False) -> None:
    """Print the answer to one scan, in colour, in words and with a sign; one bell for good, three for wrong."""
    colour, sign, bells = _MARKS[said.mark]
    title = Text.assemble((f" {sign} {plain(said.headline).upper()} ", f"bold {_INK[colour]} on {colour}"))
    console.print(title)
    for line in said.lines:
        console.print(Text(f"    {plain(line)}"))
    if bell and bells:
        console.file.write("\a" * bells)
        console.file.flush()


def plain(text: str) -> str:
    """Text from outside, safe to print: no control characters, not endless."""
    shown = "".join(character if character.isprintable() else "·" for character in text[: MAX_TEXT + 1])
    return shown if len(shown) <= MAX_TEXT else f"{shown[: MAX_TEXT - 1]}…"


def _headline(console: Console, sign: Sign, words: str, lines: list[str]) -> RenderableType:
    picture = "\n".join(sign.picture)
    if console.options.ascii_only:
        picture = picture.replace("█", "#")
    spaced = " ".join(plain(words).upper())
    title = Text.assemble((f" {spaced} ", f"bold {_INK[sign.colour]} on {sign.colour}"), overflow="fold")
    text = Group(title, Text(), *(Text(plain(line)) for line in lines))
    grid = Table.grid(padding=(0, 3))
    grid.add_column(vertical="middle")
    grid.add_column(vertical="middle", ratio=1)
    grid.add_row(Text(picture, style=f"bold {sign.colour}"), text)
    return Panel(grid, box=sign.frame, border_style=f"bold {sign.colour}", padding=(1, 2))


_MARKS = {
    "good": ("green", "✔", 1),
    "again": ("blue", "•", 0),
    "question": ("yellow", "?", 2),
    "wrong": ("red", "✖", 3),
}

# The eight basic colours, which every terminal has, and what can be read on them.
_INK = {"green": "black", "red": "white", "yellow": "black", "blue": "white"}


def pack_lines(scan: Scan) -> list[str]:
    """What the pack's code says, in lines for people."""
    data = [f"lot {scan.lot}"] if scan.lot else []
    data += [f"expiry {scan.expiry}"] if scan.expiry else []
    return [f"GTIN {scan.gtin}    serial {scan.serial}", *(["    ".join(data)] if data else [])]


def _section(console: Console, title: str, content: RenderableType) -> None:
    console.print(Text(f"\n{title}", style="bold"))
    console.print(content)


def _bullets(lines: Iterable[str], colour: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column()
    grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row(Text("  •", style=colour), Text(plain(line)))
    return grid


def _checks(checks: Iterable[Check]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for overflow in ("ignore", "ignore", "ignore", "fold"):
        grid.add_column(overflow=overflow, no_wrap=overflow == "ignore")
    for check in checks:
        mark, word, style = _CHECK_STYLES[check.passed]
        grid.add_row(
            Text(f"  {mark}", style=style), Text(word, style=style), Text(check.name), Text(plain(check.detail))
        )
    return grid


def _timeline(history: tuple[HistoryEntry, ...]) -> RenderableType:
    if not history:
        return Text("  no event of this pack is known here", style="dim")
    grid = Table.grid(padding=(0, 1))
    for _ in range(3):
        grid.add_column(overflow="fold")
    shown = history[:MAX_HISTORY]
    for number, entry in enumerate(shown):
        last = number == len(shown) - 1 and len(history) <= MAX_HISTORY
        line = Text(f"  {'●' if last else '○'}\n  {' ' if last else '│'}", style="bold cyan" if last else "cyan")
        grid.add_row(line, Text(_moment(entry.time)), _entry(entry))
    if len(history) > MAX_HISTORY:
        grid.add_row(Text("  …"), Text(), Text(f"and {len(history) - MAX_HISTORY} more"))
    return grid


def _entry(entry: HistoryEntry) -> Text:
    text = Text.assemble((plain(entry.step), "bold"), f" by {_party(entry.party, entry.party_name)}")
    if entry.receiver is not None:
        text.append(f" to {_party(entry.receiver, entry.receiver_name)}")
    sscc = sscc_of_uri(entry.carrier)
    details = [entry.disposition or "", f"in SSCC {sscc}" if sscc else "", entry.proof]
    text.append("\n" + "  ·  ".join(plain(detail) for detail in details if detail), style="dim")
    return text.append(plain(_declared(entry.declared)), style="yellow") if entry.declared else text


def _declared(said: dict[str, Any]) -> str:
    """That an event was declared erroneous, and what stands in its place."""
    reason = (said["reason"] or "no reason given").replace("_", " ")
    known = [f"{one['step']} of {_moment(one['time'])}" for one in said["corrections"] if "step" in one]
    rest = f"; in its place: {', '.join(known)}" if known else ""
    return f"  ·  declared erroneous on {_moment(said['time'])}: {reason}{rest}"


def _party(number: int, name: str) -> str:
    return plain(name) if name else f"party {number}"


def _moment(time: str) -> str:
    """``2026-11-23T05:35:15.000Z`` as people read it, to the minute."""
    return plain(time[:16].replace("T", " ") + (" UTC" if time.endswith("Z") else ""))


def _evidence(verdict: Verdict) -> RenderableType:
    if verdict.block is None:
        return Text("  no node was asked: nothing is known of the chain", style="yellow")
    line = Text(f"  block {verdict.block}")
    if verdict.age is not None:
        line.append(f", {_age(verdict.age)} old")
    if verdict.block_hash:
        line.append(f"\n  {plain(verdict.block_hash)}", style="dim")
    return line


def _age(seconds: int) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
