"""Sources: images, folders, video files, cameras, and what is said when one of them is not what it should be."""

import io
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from packtrace_scanner import cameras, images
from packtrace_scanner.images import Frame, SourceError, decode_image, pictures_in, read_image
from packtrace_scanner.sources import open_source


@pytest.fixture
def picture() -> np.ndarray:
    gradient = np.tile(np.arange(160, dtype=np.uint8), (120, 1))
    return cv2.cvtColor(gradient, cv2.COLOR_GRAY2BGR)


def write_video(path: Path, frames: list[np.ndarray], rate: float = 10.0) -> None:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_image_file_gives_one_gray_frame(tmp_path: Path, picture: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"label{suffix}"
    cv2.imwrite(str(path), picture)
    source = open_source(str(path))
    (frame,) = source.frames
    assert not source.live
    assert frame.name == path.name
    assert frame.gray.shape == (120, 160)
    assert frame.gray.dtype == np.uint8


def test_transparent_background_becomes_white(tmp_path: Path) -> None:
    image = np.zeros((10, 10, 4), np.uint8)  # black everywhere, opaque only in one corner
    image[:5, :5, 3] = 255
    cv2.imwrite(str(tmp_path / "label.png"), image)
    gray = read_image(tmp_path / "label.png")
    assert gray[0, 0] == 0
    assert gray[9, 9] == 255


def test_folder_gives_its_images_by_name_and_leaves_out_other_files(tmp_path: Path, picture: np.ndarray) -> None:
    for name in ("b.png", "a.jpg", "c.PNG"):
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "notes.txt").write_text("no picture")
    assert [frame.name for frame in open_source(str(tmp_path)).frames] == ["a.jpg", "b.png", "c.PNG"]


def test_folder_goes_on_after_a_damaged_image_and_tells(tmp_path: Path, picture: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    cv2.imwrite(str(tmp_path / "c.png"), picture)
    told: list[SourceError] = []
    frames = list(open_source(str(tmp_path), problem=told.append).frames)
    assert [frame.name for frame in frames] == ["a.png", "c.png"]
    assert [str(tmp_path / "b.png")] == [error.field for error in told]


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no image in this folder"):
        list(open_source(str(tmp_path)).frames)


@pytest.mark.parametrize("content", [b"", b"GIF", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + bytes(50), b"text" * 99])
def test_file_that_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "label.png"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="not an image") as caught:
        open_source(str(path))
    assert caught.value.field == str(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_image_cut_short_at_any_place_is_read_or_refused_by_name(
    tmp_path: Path, picture: np.ndarray, suffix: str
) -> None:
    ok, data = cv2.imencode(suffix, picture)
    assert ok
    for length in range(0, data.size, 50):
        try:
            shape = decode_image(data.tobytes()[:length], "cut").shape
        except SourceError as error:
            assert error.field == "cut"  # noqa: PT017
        else:
            assert shape == (120, 160)  # a picture can be shown as far as it goes


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def test_small_file_that_claims_a_gigapixel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(32000, 32000))
    # In a process of its own: the limit holds from the moment when OpenCV is loaded.
    program = f"from packtrace_scanner.sources import open_source\nopen_source({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "SourceError" in done.stderr
    assert "too large or damaged" in done.stderr


def test_image_file_beyond_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(bytes(1001))
    monkeypatch.setattr(images, "MAX_IMAGE_BYTES", 1000)
    with pytest.raises(SourceError, match="too large"):
        read_image(path)


def test_video_gives_every_frame_with_its_time(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "belt.mp4"
    write_video(path, [picture] * 7, rate=10.0)
    source = open_source(str(path))
    frames = list(source.frames)
    assert source.live
    assert [frame.time for frame in frames] == pytest.approx([0.1 * n for n in range(7)])
    assert frames[3].name == "belt.mp4 at 0.30 s"
    assert frames[0].gray.shape == (120, 160)


@pytest.mark.parametrize("content", [b"", b"no video", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"])
def test_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "belt.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="neither an image nor a video"):
        list(open_source(str(path)).frames)


def test_video_cut_short_is_read_as_far_as_it_goes(tmp_path: Path, picture: np.ndarray) -> None:
    whole, cut = tmp_path / "whole.avi", tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (160, 120))
    for _ in range(20):
        writer.write(picture)
    writer.release()
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert 0 < len(list(open_source(str(cut)).frames)) < 20


def test_transparent_picture_that_its_exif_data_turn_is_read_as_it_lies() -> None:
    grey = np.full((40, 60), 30, np.uint8)
    alpha = np.full_like(grey, 255)
    alpha[:, 40:] = 0
    data = cv2.imencode(".png", cv2.merge([grey, grey, grey, alpha]))[1].tobytes()
    exif = b"eXIf" + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # a quarter turn
    chunk = (len(exif) - 4).to_bytes(4, "big") + exif + zlib.crc32(exif).to_bytes(4, "big")
    turned = data[:33] + chunk + data[33:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_GRAYSCALE).shape == (60, 40)
    assert np.array_equal(decode_image(turned, "turned"), np.where(alpha, grey, 255))


def test_image_that_is_too_long_to_be_sampled_is_refused() -> None:
    for shape in ((9, 1 << 15), (1 << 15, 9)):
        data = cv2.imencode(".png", np.full(shape, 255, np.uint8))[1].tobytes()
        with pytest.raises(SourceError, match="too long; cut it into parts"):
            decode_image(data, "long")


def test_missing_file_says_what_can_be_given() -> None:
    with pytest.raises(SourceError, match="an image, a video, a folder, or a camera"):
        open_source("/nowhere/label.png")


@pytest.mark.parametrize("spec", ["camera:63", "63", "camera:99999999999"])
def test_camera_that_cannot_be_opened_says_what_to_look_at(spec: str) -> None:
    with pytest.raises(SourceError, match="plugged in") as caught:
        next(open_source(spec).frames)
    assert caught.value.value == spec.removeprefix("camera:")


def test_camera_is_found_by_a_part_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in ((0, "Integrated Camera"), (2, "HD Pro Webcam C920")):
        folder = tmp_path / f"video{number}"
        folder.mkdir()
        (folder / "name").write_text(name + "\n")
    monkeypatch.setattr(cameras, "NAMES", tmp_path)
    assert cameras.cameras() == [(0, "Integrated Camera"), (2, "HD Pro Webcam C920")]
    assert cameras._index("c920") == 2
    with pytest.raises(SourceError, match=r"0 \(Integrated Camera\), 2 \(HD Pro Webcam C920\)"):
        next(open_source("camera:endoscope").frames)


class Dripping(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return self.read(min(size or 1, 777))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_pictures_of_a_pipe_come_one_by_one_with_whatever_lies_between_them(suffix: str) -> None:
    pictures = [np.random.default_rng(seed).integers(0, 255, (40 + seed, 60)).astype(np.uint8) for seed in range(4)]
    encoded = [cv2.imencode(suffix, picture)[1].tobytes() for picture in pictures]
    stream = b"--frame\r\nContent-Type: image\r\n\r\n".join([b"", *encoded, b""])
    for pipe in (io.BytesIO(stream), Dripping(stream)):
        assert list(pictures_in(pipe)) == encoded
    assert list(pictures_in(io.BytesIO(stream[: len(stream) - 60]))) == encoded[:3], "the last one never ended"
    assert list(pictures_in(io.BytesIO(b"no picture at all"))) == []


def test_a_picture_of_a_pipe_may_hold_a_small_copy_of_itself() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (60, 80)).astype(np.uint8)
    small, whole = (cv2.imencode(".jpg", one)[1].tobytes() for one in (picture[::4, ::4], picture))
    exif = b"Exif\0\0" + small
    photo = whole[:2] + b"\xff\xe1" + (2 + len(exif)).to_bytes(2, "big") + exif + whole[2:]
    for pipe in (io.BytesIO(photo + photo), Dripping(photo + photo)):
        assert list(pictures_in(pipe)) == [photo, photo]
    cut = b"\xff\xd8\xff\xe1\xff"
    assert list(pictures_in(io.BytesIO(cut))) == []


def test_a_pipe_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    data = cv2.imencode(".png", np.full((20, 30), 77, np.uint8))[1].tobytes()
    broken = data[:30] + b"\0" * 20 + data[50:]
    problems: list[SourceError] = []
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data + broken + data)))
    source = open_source("-", problem=problems.append)
    frames = list(source.frames)
    assert source.live
    assert isinstance(frames[0], Frame)
    assert frames[0].name == "picture 1"
    assert len(frames) + len(problems) == 3
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"nothing")))
    with pytest.raises(SourceError, match="no picture came"):
        list(open_source("-").frames)
