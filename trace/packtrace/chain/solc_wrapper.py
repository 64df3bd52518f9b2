"""Solidity's compiler as py-solc-x wants it: a program that takes `--version` and `--standard-json`.

PACKTRACE_SOLC names a real `solc`. Else npm's build of the same compiler (`solc`, in `node_modules`) is put behind a
small script: npm's own `solcjs --standard-json` prints a line about SMT solvers before the JSON, which py-solc-x cannot
read.
"""

import os
import shlex
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packtrace.errors import ChainError

VARIABLE = "PACKTRACE_SOLC"

SCRIPT = """\
const solc = require(process.argv[2]);
if (process.argv[3] === "--version") {
  console.log(`solc, the solidity compiler commandline interface\\nVersion: ${solc.version()}`);
} else if (process.argv[3] === "--standard-json") {
  process.stdout.write(solc.compile(require("fs").readFileSync(0, "utf8")));
} else {
  console.error("unrecognised option '" + process.argv[3] + "'");
  process.exitCode = 1;
}
"""


@contextmanager
def compiler() -> Iterator[Path]:
    """The path of a program that behaves like `solc`, while inside."""
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if not found:
            raise ChainError("there is no such program", field=VARIABLE, value=named, rule="the path of a solc")
        yield Path(found)
        return
    node, package = node_program(), _package()
    with tempfile.TemporaryDirectory() as folder:
        script, program = Path(folder, "solc.cjs"), Path(folder, "solc")
        script.write_text(SCRIPT)
        command = shlex.join([node, str(script), str(package)])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o700)
        yield program


def home() -> Path | None:
    """The checkout: what PACKTRACE_HOME names, else the folder above this file that has the contracts' sources."""
    named = os.environ.get("PACKTRACE_HOME")
    bases = [Path(named)] if named else list(Path(__file__).resolve().parents)
    return next((base for base in bases if (base / "contracts" / "build.mjs").is_file()), None)


def node_program() -> str:
    """Node: the virtual environment's own first."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    found = shutil.which("node", path=path)
    if not found:
        raise ChainError(f"Node.js is not installed; install it, or name a real solc in {VARIABLE}", field="node")
    return found


def _package() -> Path:
    base = home()
    package = base / "node_modules" / "solc" if base else None
    if not package or not package.is_dir():
        raise ChainError(
            "Solidity's compiler is not installed; type `npm ci` in packtrace's folder (./packtrace does it), set "
            f"PACKTRACE_HOME to that folder, or name a real solc in {VARIABLE}",
            field="solc",
        )
    return package
