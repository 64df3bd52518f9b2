"""Network cameras: what a real RTSP exchange gives, what is shown of an address, and what becomes of a lost camera."""

import json
import time
from collections.abc import Callable, Generator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from packtrace_gateway.labels.drawing import to_png
from packtrace_gateway.labels.pack import PackLabel, pack_drawing
from packtrace_scanner import cameras
from packtrace_scanner.cameras import shown
from packtrace_scanner.commands import app
from packtrace_scanner.images import Frame, SourceError
from packtrace_scanner.sources import open_source
from tests.scanner.network_camera import RATE, NetworkCamera, filmed

SECONDS = 6.0


def opened(url: str) -> Generator[Frame]:
    """The frames of a network camera, to be closed."""
    frames = open_source(url).frames
    assert isinstance(frames, Generator)
    return frames


def shade(number: int) -> int:
    return 20 + number


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Frames that are brighter from one to the next, so that a picture says which it is."""
    frames = [np.full((240, 320, 3), shade(number), np.uint8) for number in range(int(SECONDS * RATE))]
    return filmed(tmp_path_factory.mktemp("film") / "film.ts", frames)


def test_network_camera_shows_the_newest_picture_however_slow_the_reader_is(film: bytes) -> None:
    with NetworkCamera(film, SECONDS, "line:pass/w@rd") as camera:
        address = f"rtsp://line:pass%2Fw%40rd@127.0.0.1:{camera.port}/stream?channel=1"
        source = open_source(address)
        assert source.live
        assert source.name == f"camera 127.0.0.1:{camera.port}"
        frames = opened(address)
        first = next(frames)
        time.sleep(2.0)
        second, third = next(frames), next(frames)
        frames.close()
    assert first.gray.shape == (240, 320)
    seen = [float(frame.gray.mean()) for frame in (first, second, third)]
    assert seen[1] - seen[0] > 25, "two seconds later the picture is two seconds newer, not the next one"
    assert second.time - first.time >= 2.0
    assert third.time > second.time, "no picture comes twice"


def test_wrong_password_is_refused_and_never_shown(film: bytes) -> None:
    with NetworkCamera(film, SECONDS, "line:right") as camera, pytest.raises(SourceError) as caught:
        next(open_source(f"rtsp://line:wrong@127.0.0.1:{camera.port}/stream").frames)
    assert "the user and the password" in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert camera.readers == 0


def test_lost_camera_is_found_again(film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "SILENCE", 2.0)
    monkeypatch.setattr(cameras, "PAUSE", 0.1)
    with NetworkCamera(film, SECONDS, cut=0.3) as camera:
        frames = opened(f"rtsp://127.0.0.1:{camera.port}/")
        while camera.readers < 2:
            next(frames)
        assert next(frames)
        frames.close()


def test_camera_that_stays_away_is_an_error(film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "SOUGHT", 1.0)
    monkeypatch.setattr(cameras, "PAUSE", 0.1)
    with NetworkCamera(film, SECONDS, cut=0.2) as camera:
        frames = opened(f"rtsp://127.0.0.1:{camera.port}/")
        next(frames)
    with pytest.raises(SourceError, match="network camera is lost"):
        list(frames)


def test_port_that_nobody_listens_on_says_what_to_look_at() -> None:
    with pytest.raises(SourceError, match=r"gives no picture: is it on.*127\.0\.0\.1:9\b"):
        next(open_source("rtsp://someone:secret@127.0.0.1:9/live/user=admin_password=secret").frames)


@pytest.mark.parametrize("scheme", ["rtsps", "http", "https"])
def test_other_address_is_refused_without_its_password(scheme: str) -> None:
    with pytest.raises(SourceError, match="only cameras with RTSP") as caught:
        open_source(f"{scheme}://someone:secret@127.0.0.1:9/live")
    assert "secret" not in str(caught.value)


def test_the_scheme_of_an_address_is_the_same_in_capitals() -> None:
    source = open_source("RTSP://someone:secret@127.0.0.1:9/live")
    assert source.name == "camera 127.0.0.1:9"
    with pytest.raises(SourceError, match="gives no picture") as caught:
        next(source.frames)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("rtsp://192.0.2.7/live", "192.0.2.7"),
        ("rtsp://user:secret@camera.example:8554/h264", "camera.example:8554"),
        ("rtsp://user:sec/ret@camera.example/h264", "rtsp://…"),  # FFmpeg takes user for the host: it has to be %2F
        ("rtsp://camera.example/live?token=se@cret", "rtsp://…"),
        ("rtsp://user:se@cr/et@camera.example/h264", "rtsp://…"),
        ("rtsp://user:se@cret@camera.example/h264", "camera.example"),
        ("rtsp://camera.example?user=admin&password=secret", "camera.example"),
        ("rtsp://user:secret@[2001:db8::7]:554/x", "[2001:db8::7]:554"),
        ("rtsp://[broken", "[broken"),
    ],
)
def test_address_is_shown_without_what_may_be_secret(url: str, host: str) -> None:
    assert shown(url) == host


def test_a_video_file_still_fetches_nothing_after_a_network_camera_was_opened(tmp_path: Path) -> None:
    playlist = tmp_path / "belt.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    with pytest.raises(SourceError):
        next(open_source("rtsp://127.0.0.1:9/").frames)
    with pytest.raises(SourceError, match="neither an image nor a video"):
        list(open_source(str(playlist)).frames)


def test_scan_reads_the_codes_that_a_network_camera_shows(tmp_path: Path, scene: Callable[..., np.ndarray]) -> None:
    label = to_png(pack_drawing(PackLabel("04012345123456", "7K4M2Q9TXW3B", "L2026A", "271130")))
    picture = cv2.cvtColor(scene(label), cv2.COLOR_GRAY2BGR)
    film = filmed(tmp_path / "label.ts", [picture] * 50)
    with NetworkCamera(film, 2.0) as camera:
        result = CliRunner().invoke(app, ["scan", "--json", "--once", f"rtsp://127.0.0.1:{camera.port}/"])
    assert result.exit_code == 0, result.output
    (line,) = map(json.loads, result.stdout.splitlines())
    assert (line["serial"], line["frame"]) == ("7K4M2Q9TXW3B", f"camera 127.0.0.1:{camera.port}")
