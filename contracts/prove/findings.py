"""Static analysis (slither): every finding is answered in findings.json, and every answer has its finding."""

import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from contracts.prove import tools

ANSWERS = tools.HERE / "findings.json"


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings by detector; those without an answer; answers that nothing was found for."""

    counts: Counter[str]
    unanswered: list[str]
    stale: list[str]


def look() -> Findings:
    """Run slither over the contracts and compare what it finds with the answers."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "findings.json"
        done = tools.run(
            [tools.BIN / "slither", ".", "--config-file", tools.HERE / "slither.config.json", "--json", output],
            {"FOUNDRY_OUT": "cache/slither/out", "FOUNDRY_CACHE_PATH": "cache/slither"},
        )
        if not output.exists():
            raise tools.ProverError(f"slither did not run:\n{(done.stdout + done.stderr)[-4_000:]}")
        given = json.loads(output.read_text())
    if not given["success"]:
        raise tools.ProverError(f"slither did not run: {given['error']}")
    return compared([(found["check"], subject(found["description"])) for found in given["results"]["detectors"]])


def subject(description: str) -> str:
    """What a finding is about: how its description begins, without the place in the file."""
    return re.split(r" \(contracts/", description, maxsplit=1)[0].strip()


def compared(found: list[tuple[str, str]]) -> Findings:
    """`found`: detector and subject of each finding."""
    answers = {
        (detector, where): re.compile(".*".join(map(re.escape, where.split("*"))))
        for detector, entry in json.loads(ANSWERS.read_text()).items()
        for where in entry["where"]
    }
    used = set()
    unanswered = []
    for detector, about in found:
        fitting = {key for key, pattern in answers.items() if key[0] == detector and pattern.fullmatch(about)}
        used |= fitting
        if not fitting:
            unanswered.append(f"{detector}: {about}")
    stale = [f"{detector}: {where}" for detector, where in answers if (detector, where) not in used]
    return Findings(Counter(detector for detector, _ in found), unanswered, stale)
