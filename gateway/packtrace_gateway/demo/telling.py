"""How the story is told on the terminal: acts, facts, verdicts, progress."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

GOOD = "authentic, available"


class Telling:
    """Prints the story; one line a fact, so that it reads well in a log too."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def act(self, title: str) -> None:
        self.console.print(f"\n[bold]{title}[/bold]")

    def fact(self, text: str) -> None:
        self.console.print(f"  {text}")

    def verdict(self, verdict: dict[str, Any], *, history: bool = False) -> None:
        """A verdict in words, colour and shape, with its reasons."""
        if verdict["words"] == GOOD:
            self.console.print(f"  [bold white on green] ✔ {verdict['words'].upper()} [/]")
        else:
            self.console.print(f"  [bold white on red] ✘ {verdict['words'].upper()} [/]")
            for reason in verdict["reasons"]:
                self.fact(f"  {reason}")
        if history:
            for entry in verdict["history"]:
                self.fact(f"  {step_line(entry)}")
        if verdict["block"] is not None:
            self.fact(f"  [dim]facts of block {verdict['block']}, {verdict['blockAge']} s old[/dim]")

    @contextmanager
    def progress(self, text: str, total: float | None = None) -> Iterator[Progress]:
        """A bar for what takes longer than a second; without a total, a spinner."""
        columns = [SpinnerColumn(), TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn()]
        disabled = not self.console.is_terminal  # a log wants no bars
        with Progress(*columns, console=self.console, transient=True, disable=disabled) as progress:
            progress.add_task(text, total=total)
            yield progress


def step_line(entry: dict[str, Any]) -> str:
    """One event of a history on one line."""
    who = entry["party_name"] or f"party {entry['party']}"
    to = f" to {entry['receiver_name'] or 'party ' + str(entry['receiver'])}" if entry["receiver"] else ""
    carrier = entry["carrier"].rpartition("/")
    inside = f" (in SSCC {carrier[2]})" if carrier[0].endswith("/00") else ""
    return f"{entry['time'][:19].replace('T', ' ')}  {entry['step']:<14} {who}{to}{inside}  [dim]{entry['proof']}[/dim]"
