"""Mutation of the contracts: every guard, operand and statement taken away or turned round, one at a time.

All mutants are compiled at once. Each is one branch of a choice that the block's PREVRANDAO makes: no contract and no
test reads it, and forge sets it from the command line, so that a mutant costs one run of the tests and no compilation.
Where the mutants are follows from the compiler's syntax tree, so that none is forgotten.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from contracts.prove import tools
from contracts.prove.tools import ROOT

EXPLAINED = tools.HERE / "survivors.json"
PROGRESS = ROOT / "cache" / "mutants.json"
NEIGHBOURS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
INVERSE = {"==": "!=", "!=": "=="}
NEUTRAL = {"&&": "true", "||": "false"}
MODIFIERS = {"whenNotPaused": "_requireNotPaused()", "restricted": "_checkCanCall(msg.sender, msg.data)"}
# First all but the long invariant tests, with few runs of each fuzz test; what survives that meets all of them.
QUICK = ("--no-match-contract", "Invariant", "--fuzz-runs", "32")
SETTINGS = {"FOUNDRY_OPTIMIZER": "false"}  # a quarter of the time to compile
SWITCH = """// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

function chosen(uint256 mutant) view returns (bool) {
    return block.prevrandao == mutant;
}

/// @dev The same where the compiler allows no reading.
function mutated(uint256 mutant) pure returns (bool) {
    function(uint256) view returns (bool) reading = chosen;
    function(uint256) pure returns (bool) pretended;
    assembly {
        pretended := reading
    }
    return pretended(mutant);
}
"""


@dataclass
class Mutant:
    """One change of one source; `original` and `changed` are source text on one line."""

    number: int
    file: str
    line: int
    function: str
    original: str
    changed: str
    killed_by: str | None = None

    @property
    def key(self) -> str:
        return f"{self.file} {self.function}: {self.original} → {self.changed}"


@dataclass
class Source:
    """One contract's source on its way to all its mutants."""

    file: str
    text: bytes
    tree: dict[str, Any]
    mutants: list[Mutant] = field(default_factory=list)


def children(node: Any) -> Iterator[dict[str, Any]]:
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict) and "nodeType" in value:
            yield value
        elif isinstance(value, dict | list):
            yield from children(value)


def span(node: dict[str, Any]) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


def on_one_line(code: bytes) -> str:
    return re.sub(r"\s+", " ", code.decode())


def names_a_slot(statement: dict[str, Any]) -> bool:
    """It says where a variable of the function lies in storage, without which the function does not compile."""
    named = statement.get("expression", {}).get("leftHandSide", {}).get("typeDescriptions", {}).get("typeString", "")
    return "storage pointer" in named


def reverts(body: dict[str, Any] | None) -> bool:
    statements = (body or {}).get("statements") or [body or {}]
    return statements[0].get("nodeType") == "RevertStatement"


class Mutator:
    """Writes a source anew with all its mutants in it."""

    def __init__(self, source: Source, first: int) -> None:
        self.source = source
        self.next = first
        self.function = ""

    def written(self) -> bytes:
        depth = self.source.file.count("/") - 1
        imported = f'import {{mutated}} from "{"../" * depth or "./"}Mutated.sol";\n'
        text = self._inside(self.source.tree, 0, len(self.source.text))
        return re.sub(rb"(pragma [^\n]*\n)", lambda m: m[1] + imported.encode(), text, count=1)

    def _inside(self, node: dict[str, Any], start: int, end: int) -> bytes:
        """The source from `start` to `end`, with the mutants of the nodes below this one."""
        written, at = b"", start
        for child in sorted((child for child in children(node) if child["src"][0] != "-"), key=span):
            begin, stop = span(child)
            if begin < at or stop > end:  # a type that is named twice; documentation
                continue
            written += self.source.text[at:begin] + self._node(child, node)
            at = stop
        return written + self.source.text[at:end]

    def _node(self, node: dict[str, Any], parent: dict[str, Any]) -> bytes:
        start, end = span(node)
        kind = node["nodeType"]
        if kind == "FunctionDefinition":
            return self._function(node)
        if not self.function or kind == "InlineAssembly":
            return self._whole(node) if kind == "InlineAssembly" else self._inside(node, start, end)
        if parent["nodeType"] == "ForStatement" and node is not parent["body"]:
            return self._whole(node)  # a loop over a list, and no guard
        if kind in ("ExpressionStatement", "EmitStatement") and not names_a_slot(node):
            return self._statement(node)
        if kind == "ModifierInvocation" and self._text(node) in MODIFIERS:
            name = self._text(node)
            return f"{name}Unless({self._add(node, name, 'no modifier')})".encode()
        inner = self._inside(node, start, end)
        for changed in self._changes(node, parent):
            number = self._add(node, *self._shown(node, parent, changed))
            inner = f"(mutated({number}) ? {changed} : ".encode() + inner + b")"
        return inner

    def _function(self, node: dict[str, Any]) -> bytes:
        self.function = node["name"] or node["kind"]
        written = self._inside(node, *span(node)) if node.get("body") else self._whole(node)
        self.function = ""
        return written

    def _statement(self, node: dict[str, Any]) -> bytes:
        number = self._add(node, self._text(node), "nothing")
        # its own source range ends before the semicolon
        return f"if (!mutated({number})) ".encode() + self._inside(node, *span(node))

    def _changes(self, node: dict[str, Any], parent: dict[str, Any]) -> Iterator[str]:
        """What this expression can be instead."""
        kind, owner = node["nodeType"], parent["nodeType"]
        boolean = node.get("typeDescriptions", {}).get("typeString") == "bool"
        whole = boolean and (
            (owner in ("IfStatement", "Conditional") and node is parent["condition"]) or owner == "Return"
        )
        if kind == "Literal" and boolean:
            yield "false" if node["value"] == "true" else "true"
        elif whole and reverts(parent.get("trueBody")):
            yield "false"  # as it always reverts in the other case, every test of the function fails
        elif whole:
            yield from ("true", "false")
        elif owner == "WhileStatement" and boolean:
            yield "false"
        elif owner == "BinaryOperation" and parent["operator"] in NEUTRAL:
            yield NEUTRAL[parent["operator"]]
        elif kind == "BinaryOperation" and node["operator"] in INVERSE:
            yield self._with(node, INVERSE[node["operator"]])
        if kind == "BinaryOperation" and node["operator"] in NEIGHBOURS:
            yield self._with(node, NEIGHBOURS[node["operator"]])
        if kind == "BinaryOperation" and node["operator"] in ("|", "&", "^"):
            yield self._text(node["leftExpression"])
            yield self._text(node["rightExpression"])
        if kind == "MemberAccess" and node["expression"].get("name") in ("Roles", "Purposes"):
            yield "0"

    def _shown(self, node: dict[str, Any], parent: dict[str, Any], changed: str) -> tuple[str, str]:
        """The code and what is instead, as they are told: an argument with its whole call."""
        if parent["nodeType"] != "FunctionCall":
            return self._text(node), changed
        (start, end), (begin, stop) = span(parent), span(node)
        call = self.source.text[start:begin] + changed.encode() + self.source.text[stop:end]
        return self._text(parent), on_one_line(call)

    def _with(self, node: dict[str, Any], operator: str) -> str:
        """This operation with another operator."""
        return f"{self._text(node['leftExpression'])} {operator} {self._text(node['rightExpression'])}"

    def _add(self, node: dict[str, Any], original: str, changed: str) -> int:
        line = self.source.text[: span(node)[0]].count(b"\n") + 1
        number = self.next
        self.next += 1
        self.source.mutants.append(Mutant(number, self.source.file, line, self.function, original, changed))
        return number

    def _whole(self, node: dict[str, Any]) -> bytes:
        start, end = span(node)
        return self.source.text[start:end]

    def _text(self, node: dict[str, Any]) -> str:
        return on_one_line(self._whole(node))


def syntax_trees(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Each file's syntax tree; the sources that they import are those that the packaged artifacts are made of."""
    given = json.loads((ROOT / "trace/packtrace/chain/artifacts/standard-input.json").read_text())
    for path in given["sources"]:
        if path.startswith("contracts/"):
            given["sources"][path]["content"] = (ROOT / path).read_text()
    given["settings"]["outputSelection"] = {"*": {"": ["ast"]}}
    compiler = [str(ROOT / "contracts/solc.mjs"), "--standard-json"]
    done = subprocess.run(compiler, input=json.dumps(given), capture_output=True, text=True, check=True)
    sources = json.loads(done.stdout)["sources"]
    return {file: sources[file]["ast"] for file in files}


def write_mutants(folder: Path) -> list[Mutant]:
    """Copy the contracts and their tests into `folder`, with all mutants in the contracts."""
    paths = [*sorted((ROOT / "contracts").glob("*.sol")), *sorted((ROOT / "contracts/libraries").glob("*.sol"))]
    files = {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}
    shutil.copytree(ROOT / "contracts", folder / "contracts", ignore=shutil.ignore_patterns("symbolic", "prove"))
    (folder / "contracts/Mutated.sol").write_text(SWITCH)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    shutil.copy(ROOT / "foundry.toml", folder)
    found: list[Mutant] = []
    for file, tree in syntax_trees(files).items():
        source = Source(file, files[file].encode(), tree)
        text = Mutator(source, len(found) + 1).written().decode()
        (folder / file).write_text(with_modifiers(text))
        found += source.mutants
    return found


def with_modifiers(text: str) -> str:
    """The contract with the modifiers that a mutant can switch off, beside where they are first used."""
    for name, check in MODIFIERS.items():
        if f"{name}Unless(" in text:
            modifier = f"    modifier {name}Unless(uint256 mutant) {{ if (!mutated(mutant)) {check}; _; }}\n"
            begin = re.search(r"^(abstract )?contract [^{]*\{\n", text, re.M)
            assert begin, "a modifier is used in a contract"
            text = text[: begin.end()] + modifier + text[begin.end() :]
    return text


def build(folder: Path) -> None:
    done = tools.run([tools.forge(), "build"], SETTINGS, folder)
    if done.returncode:
        raise tools.ProverError(f"the mutants do not compile:\n{(done.stdout + done.stderr)[-4_000:]}")


def killer(folder: Path, number: int, *options: str) -> str | None:
    """The first test that fails with this mutant, or None."""
    done = tools.run(
        [tools.forge(), "test", "--fail-fast", "--block-prevrandao", f"0x{number:064x}",
         "--code-size-limit", "10000000", *options],
        SETTINGS, folder,
    )  # fmt: skip
    if done.returncode == 0:
        return None
    failed = failed_test(done.stdout)
    if failed is None:
        raise tools.ProverError(f"forge failed, but no test:\n{(done.stdout + done.stderr)[-4_000:]}")
    return failed


def failed_test(report: str) -> str | None:
    """The first test that forge reports as failed; of an invariant, its name comes behind the calls that break it."""
    suite, broken = "", False
    for line in report.splitlines():
        if match := re.match(r"Ran \d+ tests? for \S+:(\w+)$", line):
            suite = match[1]
        elif match := re.match(r"\[FAIL.*\] (\w+)\(", line):
            return f"{suite}.{match[1]}"
        elif line.startswith("[FAIL"):
            broken = True
        elif broken and (match := re.match(r" ?(invariant_\w+)\(", line)):
            return f"{suite}.{match[1]}"
    return None


def run(told: Callable[[Mutant], None], only: str | None = None) -> list[Mutant]:
    """Try all mutants, or those whose key matches; `told` hears of each.

    What was found is kept in PROGRESS while the contracts and their tests are the same, so that a run that was stopped
    goes on where it was.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        mutants = write_mutants(folder)
        known = progress(fingerprint())
        chosen = [mutant for mutant in mutants if only is None or re.search(only, mutant.key)]
        if any(str(mutant.number) not in known for mutant in chosen):
            build(folder)
            if failed := killer(folder, 0, *QUICK):
                raise tools.ProverError(f"a test fails without any mutant: {failed}")
        for mutant in chosen:
            if str(mutant.number) not in known:
                known[str(mutant.number)] = killer(folder, mutant.number, *QUICK) or killer(folder, mutant.number)
                PROGRESS.write_text(json.dumps({"of": fingerprint(), "killed": known}))
            mutant.killed_by = known[str(mutant.number)]
            told(mutant)
        return chosen


def fingerprint() -> str:
    """Changes with every contract, every test, and what mutants there are."""
    files = sorted(path for path in (ROOT / "contracts").rglob("*.sol") if "symbolic" not in path.parts)
    return sha256(b"".join(file.read_bytes() for file in (*files, Path(__file__)))).hexdigest()


def progress(of: str) -> dict[str, str | None]:
    """What an earlier run of the same found: number of a mutant → the test that killed it."""
    PROGRESS.parent.mkdir(exist_ok=True)
    kept = json.loads(PROGRESS.read_text()) if PROGRESS.exists() else {}
    found: dict[str, str | None] = kept["killed"] if kept.get("of") == of else {}
    return found


def explanations() -> dict[str, str]:
    """Why a mutant that no test kills is no gap, by its key."""
    found: dict[str, str] = json.loads(EXPLAINED.read_text())
    return found
