"""The `packtrace` command. Every package registers its own commands under the entry point `packtrace.commands`."""

import sys
from importlib.metadata import entry_points

import typer

from packtrace.errors import PacktraceError

# Python's own. A library below eth-account raises it on import so far that deeply nested JSON from a stranger overflows
# the C stack and kills the process.
RECURSION_LIMIT = 1000

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An open ledger for medicines: serial numbers, hand-over and verification of packs.",
)


def main() -> None:
    """Run the command that was asked for.

    A refusal is one clear line on the terminal and exit status 1, never a traceback.
    """
    load_commands()
    sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        app()
    except PacktraceError as error:
        print(f"packtrace: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that may not be written
        where = f"{error.filename}: " if error.filename else ""
        print(f"packtrace: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)


def load_commands() -> None:
    """Add the commands of every installed package; those of an extra that is not installed are left out.

    An entry point whose name begins with an underscore adds its commands at the top.
    """
    for entry in sorted(entry_points(group="packtrace.commands"), key=lambda e: e.name):
        try:
            commands = entry.load()
        except ModuleNotFoundError as missing:
            if (missing.name or "").split(".")[0].startswith("packtrace"):
                raise
            continue
        if entry.name.startswith("_"):
            app.registered_commands += commands.registered_commands
        else:
            app.add_typer(commands, name=entry.name)


if __name__ == "__main__":
    main()
