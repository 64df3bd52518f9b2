"""Measures packtrace and compares it with its budgets: `python benchmarks/run.py`, see README.md beside it."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import (
    anchoring,
    capture,
    decoding,
    gas,
    hand_over,
    library,
    machine,
    phone,
    report,
    soak,
    throughput,
    verdict,
)
from benchmarks.measuring import Bench, Figure

RESULTS = Path(__file__).resolve().parent / "results"
MODULES = (capture, verdict, hand_over, anchoring, throughput, gas, library, decoding)
# soak takes minutes, and measures nothing: it looks for what breaks; phone needs Chromium.
BY_NAME_ONLY = (soak, phone)
BENCHMARKS: dict[str, ModuleType] = {module.__name__.rpartition(".")[2]: module for module in (*MODULES, *BY_NAME_ONLY)}
DEFAULT = [module.__name__.rpartition(".")[2] for module in MODULES]


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"Only this one (repeatable): {', '.join(BENCHMARKS)}.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to see that it works; nothing is kept.")] = False,
    results: Annotated[Path | None, typer.Option(help="Where results are written; default benchmarks/results.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Where the databases are put; default the system's temporary folder."
        ),
    ] = None,
) -> None:
    """Measure, print every figure beside its budget, and write the results under the machine's name."""
    console = Console(highlight=False, soft_wrap=True)
    unknown = sorted(set(only or ()) - BENCHMARKS.keys())
    if unknown:
        raise typer.BadParameter(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    place = Path(tempfile.mkdtemp(prefix="packtrace-bench-", dir=folder))
    try:
        described = machine.describe(place)
        console.print(", ".join(f"{name} {value}" for name, value in described.items()))
        sections = {name: _run(name, quick, place / name, console) for name in only or DEFAULT}
    finally:
        shutil.rmtree(place)
    if not quick or results:
        written = report.save(results or RESULTS, machine.slug(described), described, sections)
        console.print("\nwritten: " + ", ".join(map(str, written)))


def _run(name: str, quick: bool, folder: Path, console: Console) -> report.Section:
    module = BENCHMARKS[name]
    measure: Callable[[Bench], Iterator[Figure]] = module.measure
    title = (module.__doc__ or name).partition("\n")[0].rstrip(".")
    date, load = datetime.now(UTC).isoformat(timespec="seconds"), machine.load()
    console.print(f"\n[bold]{title}[/bold]")
    folder.mkdir()
    figures = []
    for figure in measure(Bench(quick, folder)):
        if quick:
            figure = replace(figure, budget=None)  # budgets are for real sizes
        figures.append(figure)
        _print(figure, console)
    return report.Section(title, date, machine.commit(), load, tuple(figures))


def _print(figure: Figure, console: Console) -> None:
    wanted = f"  (budget {report.budget(figure)}: {report.met(figure)})" if figure.budget else ""
    colour = "red" if figure.met is False else "default"
    console.print(f"  {figure.name:<64} [{colour}]{report.shown(figure.value):>10} {figure.unit}{wanted}[/]")


if __name__ == "__main__":
    typer.run(main)
