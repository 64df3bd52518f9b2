"""Results: one JSON file for each machine, and the same as a page to read."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measuring import Budget, Figure


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark's figures: when, on which version, and how busy the machine was when it began."""

    title: str
    date: str
    commit: str
    load: float | None
    figures: tuple[Figure, ...]


def save(folder: Path, name: str, machine: dict[str, str], sections: dict[str, Section]) -> tuple[Path, Path]:
    """Write both files; sections that were not measured now stay as they were. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / f"{name}.json", folder / f"{name}.md"
    plain: dict[str, Any] = orjson.loads(data.read_bytes()) if data.exists() else {"sections": {}}
    plain["machine"] = machine
    plain["sections"] |= {key: asdict(section) for key, section in sections.items()}
    data.write_bytes(orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    page.write_text(_page(machine, [_section(entry) for entry in plain["sections"].values()]))
    return data, page


def shown(value: float) -> str:
    """A figure with as many digits as tell something."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def budget(figure: Figure) -> str:
    if figure.budget is None:
        return ""
    return f"{'≥' if figure.budget.least else '≤'} {shown(figure.budget.limit)}"


def met(figure: Figure) -> str:
    return {None: "", True: "yes", False: "no"}[figure.met]


def _section(plain: dict[str, Any]) -> Section:
    figures = (entry | {"budget": entry["budget"] and Budget(**entry["budget"])} for entry in plain["figures"])
    return Section(**plain | {"figures": tuple(Figure(**entry) for entry in figures)})


def _page(machine: dict[str, str], sections: list[Section]) -> str:
    lines = ["# Benchmark results", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    for section in sections:
        busy = "" if section.load is None else f", load {section.load:.1f}"
        lines += ["", f"## {section.title}", "", f"{section.date}, commit {section.commit}{busy}", ""]
        lines += ["| what | figure | unit | budget | met |", "| --- | ---: | --- | ---: | --- |"]
        lines += [
            f"| {figure.name} | {shown(figure.value)} | {figure.unit} | {budget(figure)} | {met(figure)} |"
            for figure in section.figures
        ]
    return "\n".join(lines) + "\n"
