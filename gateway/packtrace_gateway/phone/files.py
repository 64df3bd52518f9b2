"""The page's files, read once: each with its type, its hash, and a packed form.

The page is the scanner's (`scanner/web/`); the barcode reader beside it is the npm package zxing-wasm, of the version
in `package-lock.json`, script and WebAssembly from one package. Nothing is ever loaded from elsewhere.

What is program stands in a folder that is named by the version of the whole set: while one gateway takes another's
place, a page of the old version gets the old files or none, never the new one's. The service worker is told every
file's digest beside that.
"""

import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wasm": "application/wasm",
}
PACKED = (".html", ".css", ".js", ".json", ".webmanifest", ".svg", ".wasm")
INDEX, WORKER = "index.html", "sw.js"
PROGRAM = ("app/", "lib/", "text/", "zxing/", "style.css")  # how what must be of one version begins
# Where the reader's files stand in the page, and in the npm package.
READER = {
    "zxing/reader/index.js": "es/reader/index.js",
    "zxing/share.js": "es/share.js",
    "zxing/zxing_reader.wasm": "reader/zxing_reader.wasm",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file. `packed` is its gzip form where that is smaller."""

    content: bytes
    packed: bytes | None
    type: str
    etag: str


@cache
def page_files() -> Mapping[str, PageFile]:
    """Every file by its path in the page; without the reader's where that is not installed."""
    return page_of(page_sources())


def page_sources() -> dict[str, bytes]:
    """What the page is made of, by where it is in the page's folder."""
    folder = page_folder()
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }
    reader = None if READER.keys() <= found.keys() else reader_folder()  # a wheel has it with the page
    if reader is not None:
        found |= {name: reader / source for name, source in READER.items()}
    return {name: path.read_bytes() for name, path in found.items()}


def page_of(sources: Mapping[str, bytes]) -> dict[str, PageFile]:
    """One version of the page, as it is served."""
    version = _version(sources)
    moved = {name: f"{version}/{name}" if name.startswith(PROGRAM) else name for name in sources}
    contents = {moved[name]: content for name, content in sources.items()}
    for name, place in moved.items():
        contents[INDEX] = contents[INDEX].replace(f'"{name}"'.encode(), f'"{place}"'.encode())
    contents[WORKER] = _worker(version, contents)
    return {name: _file(name, content) for name, content in contents.items()}


def has_reader() -> bool:
    """Whether the page can read codes with the camera."""
    return READER.keys() <= page_sources().keys()


def page_folder() -> Path:
    """Where the page is: in the installed package, or in the checkout."""
    package = Path(__file__).resolve().parent
    built = package / "web"
    return built if built.is_dir() else package.parents[2] / "scanner" / "web"


def reader_folder() -> Path | None:
    """Where the npm package zxing-wasm is: below the folder that PACKTRACE_HOME names, or in the checkout."""
    bases = [Path(os.environ["PACKTRACE_HOME"])] if os.environ.get("PACKTRACE_HOME") else []
    for base in (*bases, *Path(__file__).resolve().parents):
        found = base / "node_modules" / "zxing-wasm" / "dist"
        if all((found / source).is_file() for source in READER.values()):
            return found
    return None


def _version(sources: Mapping[str, bytes]) -> str:
    digests = {name: sha256(content).hexdigest() for name, content in sorted(sources.items())}
    return sha256(json.dumps(digests).encode()).hexdigest()[:16]


def _worker(version: str, contents: Mapping[str, bytes]) -> bytes:
    """The service worker, told the version and each file's digest: it keeps a version whole, or not at all."""
    digests = {
        "./" if name == INDEX else name: sha256(content).hexdigest()
        for name, content in sorted(contents.items())
        if name != WORKER
    }
    told = f"const VERSION = {json.dumps(version)};\nconst FILES = {json.dumps(digests)};\n"
    return told.encode() + contents[WORKER]


def _file(name: str, content: bytes) -> PageFile:
    suffix = Path(name).suffix
    packed = gzip.compress(content, 6, mtime=0) if suffix in PACKED else content
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    return PageFile(content, packed if len(packed) < len(content) else None, TYPES[suffix], etag)
