"""The `packtrace` command. Every package registers its own commands under the entry point `packtrace.commands`."""

import sys
from importlib.metadata import entry_points

import typer

from packtrace.errors import PacktraceError

# Python's own. A library below eth-account raises it on import so far that deeply nested JSON from a stranger overflows
# the C stack and kills the process.
RECURSION_LIMIT = 1000

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


def main() -> None:
    """Load the commands of every installed package and run the one that was asked for.

    A refusal is one clear line on the terminal and exit status 1, never a traceback.
    """
    for entry in sorted(entry_points(group="packtrace.commands"), key=lambda e: e.name):
        try:
            commands = entry.load()
        except ModuleNotFoundError as missing:  # an extra that is not installed here
            if (missing.name or "").split(".")[0].startswith("packtrace"):
                raise
            continue
        if entry.name.startswith("_"):
            app.registered_commands += commands.registered_commands
            app.registered_groups += commands.registered_groups
        else:
            app.add_typer(commands, name=entry.name)
    sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        app()
    except PacktraceError as error:
        print(f"packtrace: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
