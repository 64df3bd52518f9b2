"""The phone page's files as the gateway serves them, and the questions that it asks beside verdicts."""

import gzip
import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from packtrace.errors import DocumentError
from packtrace_gateway.certificates import Files, issue
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.phone import decoding
from packtrace_gateway.phone.decoding import FrameDecoder
from packtrace_gateway.phone.files import TYPES, page_files, page_folder, page_of, page_sources
from packtrace_gateway.problems import NotFoundError, TooManyError

KeyOf = Callable[..., dict[str, str]]


def place_of(name: str) -> str:
    """Where a file of the program is served: in its version's folder."""
    [place] = [place for place in page_files() if re.fullmatch(rf"[0-9a-f]{{16}}/{re.escape(name)}", place)]
    return place


def test_every_file_of_the_page_is_served_to_anybody_and_as_what_it_is(client: httpx.Client) -> None:
    program = {place_of(name) for name in ("app/main.js", "lib/verdict.js", "zxing/zxing_reader.wasm")}
    assert {"index.html", "sw.js", *program} <= set(page_files())
    for name, file in page_files().items():
        answer = client.get(f"/phone/{name}")
        assert answer.status_code == 200
        assert answer.content == file.content
        assert answer.headers["content-type"] == TYPES[Path(name).suffix]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/phone").headers["location"] == "/phone/"
    assert client.get("/phone/").content == page_files()["index.html"].content


@pytest.mark.parametrize(
    "path", ["nothing.js", "app/main.js", "../gateway.toml", "icons/draw.py", "%2e%2e/gateway.db", "text/"]
)
def test_nothing_but_the_page_is_served(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/phone/{path}")
    assert answer.status_code in (401, 404)
    assert client.post("/phone/index.html").status_code == 405


def test_no_script_runs_that_is_not_the_pages_own(client: httpx.Client) -> None:
    policy = client.get("/phone/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "unsafe-inline" not in policy
    assert " 'unsafe-eval'" not in policy
    assert "frame-ancestors 'none'" in policy
    page = page_files()["index.html"].content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"\son\w+=|style=|https?://", page) == []


def test_a_file_is_sent_again_only_when_it_has_changed(client: httpx.Client) -> None:
    first = client.get(f"/phone/{place_of('app/main.js')}")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(f"/phone/{place_of('app/main.js')}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/phone/{place_of('app/main.js')}", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_large_files_are_packed_for_who_can_unpack_them(client: httpx.Client) -> None:
    with client.stream(
        "GET", f"/phone/{place_of('zxing/zxing_reader.wasm')}", headers={"Accept-Encoding": "gzip"}
    ) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(sent) == page_files()[place_of("zxing/zxing_reader.wasm")].content
    assert len(sent) < 500_000
    plain = client.get(f"/phone/{place_of('style.css')}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


def test_the_service_worker_knows_the_version_and_the_digest_of_every_file() -> None:
    version, files, *_ = page_files()["sw.js"].content.decode().split("\n")
    assert place_of("app/main.js").startswith(re.fullmatch(r'const VERSION = "([0-9a-f]{16})";', version)[1] + "/")  # type: ignore[index]
    digests = json.loads(files.removeprefix("const FILES = ").removesuffix(";"))
    served = {name: sha256(file.content).hexdigest() for name, file in page_files().items() if name != "sw.js"}
    assert digests == {"./" if name == "index.html" else name: digest for name, digest in served.items()}


def test_a_page_names_files_of_its_own_version_only() -> None:
    """Those of two versions share no name: while one gateway takes another's place nothing of both is put together."""
    sources = page_sources()
    other = sources | {"lib/verdict.js": sources["lib/verdict.js"] + b"\n"}
    first, second = page_of(sources), page_of(other)
    assert set(page_files()) == set(first)
    assert {name for name in first.keys() & second.keys() if not name.startswith("icons/")} == {
        "index.html",
        "sw.js",
        "manifest.webmanifest",
    }
    for page in (first, second):
        named = re.findall(r'(?:src|href)="([^"]+)"', page["index.html"].content.decode())
        assert len(named) > 4
        assert set(named) <= set(page)
        worker = page["sw.js"].content.decode()
        assert worker.startswith("const VERSION")
        assert worker.endswith(sources["sw.js"].decode())
    assert page_of(sources | {"sw.js": b"//"}).keys() != first.keys(), "a worker is part of its version"


def test_the_installed_page_may_be_held_either_way() -> None:
    """WCAG 1.3.4: a phone may be fixed to a stand, or to a wheelchair."""
    manifest = json.loads(page_files()["manifest.webmanifest"].content)
    assert manifest.get("orientation", "any") == "any"


def test_script_and_webassembly_are_of_the_version_that_is_locked() -> None:
    root = page_folder().parents[1]
    locked = re.search(
        r'"node_modules/zxing-wasm": \{\s*"version": "([^"]+)"', (root / "package-lock.json").read_text()
    )
    assert locked
    assert f'"{locked[1]}"'.encode() in page_files()[place_of("zxing/share.js")].content


def test_the_authority_is_there_for_phones_to_install(client: httpx.Client, gateway: Gateway) -> None:
    assert client.get("/phone/authority.crt").status_code == 404
    files = Files(gateway.settings.folder / "tls")
    issue(files, "Pharmacy")
    answer = client.get("/phone/authority.crt")
    assert answer.content == files.authority.read_bytes()
    assert answer.headers["content-type"] == "application/x-x509-ca-cert"


def test_the_place_tells_whose_gateway_it_is_and_which_contracts_it_follows(
    client: httpx.Client, key: KeyOf, gateway: Gateway
) -> None:
    assert client.get("/place").status_code == 401
    place = client.get("/place", headers=key("dispenser")).json()
    assert (place["party"], place["name"]) == (12, "Apotheke am Markt")
    assert place["key"]["roles"] == ["dispenser"]
    assert place["deployment"]["contracts"] == dict(gateway.deployment.contracts)


# ---- frames ----


def picture(tmp_path: Path, form: str, size: tuple[int, int] = (640, 480)) -> bytes:
    file = tmp_path / f"frame.{form}"
    Image.new("L", size, 128).save(file)
    return file.read_bytes()


def test_a_frame_is_decoded_by_the_scanners_own_pipeline(
    app: FastAPI, client: httpx.Client, key: KeyOf, gateway: Gateway, tmp_path: Path
) -> None:
    from packtrace_gateway.labels.drawing import to_png
    from packtrace_gateway.labels.pack import PackLabel, pack_drawing
    from packtrace_scanner.frames import decode

    gateway.decoder._find = lambda: decode
    label = to_png(pack_drawing(PackLabel("09506000134352", "ABC123", "L1", "291031")))
    answer = client.post("/decode", content=label, headers=key("dispenser") | {"Content-Type": "image/png"})
    assert answer.status_code == 200, answer.text
    (reading,) = answer.json()["readings"]
    assert (reading["symbology"], "21ABC123" in reading["text"]) == ("]d2", True)
    blank = picture(tmp_path, "jpg")
    none = client.post("/decode", content=blank, headers=key("dispenser") | {"Content-Type": "image/jpeg"})
    assert none.json() == {"readings": []}


def test_a_gateway_without_the_scanner_says_so(
    client: httpx.Client, key: KeyOf, gateway: Gateway, tmp_path: Path
) -> None:
    gateway.decoder._find = lambda: None
    headers = key("dispenser") | {"Content-Type": "image/jpeg"}
    answer = client.post("/decode", content=picture(tmp_path, "jpg"), headers=headers)
    assert answer.status_code == 404
    assert "install packtrace with the extra" in answer.json()["detail"]


def test_what_is_no_picture_or_too_large_is_refused(
    client: httpx.Client, key: KeyOf, gateway: Gateway, tmp_path: Path
) -> None:
    from packtrace_scanner.frames import decode

    gateway.decoder._find = lambda: decode
    for content, media_type, status in (
        (b"\xff\xd8\xff", "image/gif", 415),
        (b"GIF89a", "image/jpeg", 400),
        (b"\xff\xd8\xff\xe0", "image/jpeg", 400),
        (bytes(1 << 20) + b"x", "image/jpeg", 413),
    ):
        headers = key("dispenser") | {"Content-Type": media_type}
        assert client.post("/decode", content=content, headers=headers).status_code == status, media_type
    bomb = picture(tmp_path, "png", (30_000, 30_000))  # a few kilobytes that would be a gigabyte
    assert len(bomb) < 1 << 20
    with pytest.raises(DocumentError, match="too large"):
        decode(bomb)


def test_frames_that_come_too_fast_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = FrameDecoder(lambda: lambda _image: [])
    for _ in range(decoding.BURST):
        assert decoder.decode(b"", "one") == []
    with pytest.raises(TooManyError):
        decoder.decode(b"", "one")
    assert decoder.decode(b"", "another") == []
    now = decoding.time.monotonic()
    monkeypatch.setattr(decoding.time, "monotonic", lambda: now + 1)
    assert decoder.decode(b"", "one") == []


def test_one_frame_is_decoded_at_a_time() -> None:
    def busy(_image: bytes) -> list[object]:
        with pytest.raises(TooManyError, match="another picture"):
            decoder.decode(b"", "other")
        return []

    decoder = FrameDecoder(lambda: busy)  # type: ignore[arg-type, return-value]
    assert decoder.decode(b"", "one") == []
    with pytest.raises(NotFoundError):
        FrameDecoder(lambda: None).decode(b"", "one")
