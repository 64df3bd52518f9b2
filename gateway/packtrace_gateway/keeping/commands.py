"""`packtrace gateway backup` and `restore`."""

from pathlib import Path
from typing import Annotated

import typer

from packtrace_gateway import settings
from packtrace_gateway.keeping.backup import BackupError, Manifest, back_up, read_identities, restore

app = typer.Typer()


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The gateway's folder.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; it is never replaced.")],
    recipient: Annotated[
        list[str] | None, typer.Option(help="age public key of who may restore it (repeatable): age1…")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Do not encrypt it: all secrets are in it.")] = False,
) -> None:
    """Back a gateway up, running or not: database, keys, certificates, settings and deployment, as of one moment."""
    if bool(recipient) == plain:
        message = "name who may restore it (--recipient age1…, made by age-keygen), or say --plain"
        raise BackupError(message, field="recipient")
    _tell(f"backup {file}", back_up(settings.load(folder), file, recipient or ()))


@app.command("restore")
def restore_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The gateway's new folder.")],
    identity: Annotated[
        list[Path] | None, typer.Option(help="File with the age secret key that opens it (repeatable).")
    ] = None,
) -> None:
    """Make a gateway's folder from a backup. The old gateway must never run again: both have the same keys."""
    keys = [key for path in identity or () for key in read_identities(path)]
    _tell(f"restored into {folder}; start it with `packtrace gateway run`. Backup", restore(file, folder, keys))


def _tell(what: str, manifest: Manifest) -> None:
    print(f"{what} of party {manifest.party}, {manifest.name}: {len(manifest.files)} files")
