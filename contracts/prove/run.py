"""Proves the contracts: `./packtrace prove`. See docs/developing.md."""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import machine
from contracts.prove import coverage, findings, mutants, symbolic, tools

RESULTS = tools.HERE / "results"
Part = Callable[[Console], tuple[bool, list[str]]]


def prove_symbolically(console: Console) -> tuple[bool, list[str]]:
    checks, report = symbolic.prove()
    lines = ["| contract | check | | paths | seconds |", "| --- | --- | --- | --- | --- |"]
    for check in checks:
        said = "proven" if check.proven else "loops cut off" if check.holds else "NOT PROVEN"
        lines.append(f"| {check.contract} | {check.name} | {said} | {check.paths} | {check.seconds} |")
        console.print(f"  {check.contract}.{check.name}: {said}")
    missing = symbolic.expected() - {check.name for check in checks}
    for name in sorted(missing):
        console.print(f"  {name}: not run")
    passed = not missing and all(check.proven for check in checks)
    if not passed:
        console.print(report[-8_000:], markup=False)
    return passed, lines


def analyse(console: Console) -> tuple[bool, list[str]]:
    found = findings.look()
    lines = ["| detector | findings | answer |", "| --- | --- | --- |"]
    answers = json.loads(findings.ANSWERS.read_text())
    for detector, count in sorted(found.counts.items()):
        lines.append(f"| {detector} | {count} | {answers.get(detector, {}).get('answer', 'none')} |")
        console.print(f"  {detector}: {count}")
    for name in found.unanswered:
        console.print(f"  not answered: {name}", markup=False)
    for name in found.stale:
        console.print(f"  answered, but not found any more: {name}", markup=False)
    return not found.unanswered and not found.stale, lines


def cover(console: Console) -> tuple[bool, list[str]]:
    lines = ["| file | lines | branches | not reached |", "| --- | --- | --- | --- |"]
    measured = coverage.measure()
    for file in measured:
        gaps = "; ".join(file.gaps) or "none"
        lines.append(f"| {file.file} | {file.lines} | {file.branches} | {gaps} |")
        console.print(f"  {file.file}: {file.lines} lines, {file.branches} branches; not reached: {gaps}", markup=False)
    return bool(measured) and not any(file.gaps for file in measured), lines


def mutate(console: Console) -> tuple[bool, list[str]]:
    explained = mutants.explanations()
    lines = [
        "| where | function | code | instead | what failed, or why nothing can |",
        "| --- | --- | --- | --- | --- |",
    ]
    failed = []

    def told(mutant: mutants.Mutant) -> None:
        why = mutant.killed_by or explained.get(mutant.key)
        if why is None or (mutant.killed_by and mutant.key in explained):
            failed.append(mutant.key)
        console.print(f"  {mutant.number} {mutant.key}: {why or 'SURVIVED'}", markup=False)
        place = f"{mutant.file.removeprefix('contracts/')}:{mutant.line}"
        code, changed = (text.replace("|", "\\|") for text in (mutant.original, mutant.changed))
        lines.append(f"| {place} | {mutant.function} | `{code}` | `{changed}` | {why or 'SURVIVED'} |")

    tried = mutants.run(told)
    stale = set(explained) - {mutant.key for mutant in tried}
    killed = sum(mutant.killed_by is not None for mutant in tried)
    summary = f"{len(tried)} mutants, {killed} killed, {len(tried) - killed} survived"
    console.print(f"  {summary}; explained wrongly or not at all: {failed}; explained in vain: {stale}", markup=False)
    return not failed and not stale, [f"{summary}, each explained." if not failed else summary, "", *lines]


PARTS: dict[str, tuple[str, Part]] = {
    "symbolic": ("Symbolic checks (halmos)", prove_symbolically),
    "findings": ("Static analysis (slither)", analyse),
    "coverage": ("Lines and branches (forge)", cover),
    "mutants": ("Mutants (forge)", mutate),
}
BY_NAME_ONLY = {"mutants"}  # an hour


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Only this (repeatable): {', '.join(PARTS)}.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write what was found to contracts/prove/results/.")] = False,
) -> None:
    """Prove what the contracts' tests cannot: for all values, without findings, with nothing untested."""
    console = Console(highlight=False, soft_wrap=True)
    unknown = sorted(set(only or ()) - PARTS.keys())
    if unknown:
        raise typer.BadParameter(f"there is no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    proven = True
    for name in only or [name for name in PARTS if name not in BY_NAME_ONLY]:
        title, part = PARTS[name]
        console.print(f"\n[bold]{title}[/bold]")
        begun = time.monotonic()
        try:
            passed, lines = part(console)
        except tools.ProverError as error:
            console.print(f"  {error}", markup=False)
            raise typer.Exit(1) from None
        seconds = time.monotonic() - begun
        console.print(f"  {'proven' if passed else 'NOT PROVEN'} ({seconds:.0f} s)")
        if write:
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / f"{name}.md").write_text(page(title, passed, seconds, lines))
        proven = proven and passed
    if not proven:
        raise typer.Exit(1)


def page(title: str, passed: bool, seconds: float, lines: list[str]) -> str:
    described = machine.describe_processor()
    facts = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {machine.commit()}, {seconds:.0f} s",
        ", ".join(f"{name} {version}" for name, version in tools.versions().items()),
        described,
    ]
    verdict = "All proven." if passed else "NOT PROVEN."
    return "\n".join([f"# {title}", "", *(f"- {fact}" for fact in facts), "", verdict, "", *lines, ""])


if __name__ == "__main__":
    typer.run(main)
