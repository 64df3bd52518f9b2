"""Films for the faked camera: a rendered pack, held in a hand that is never still, in YUV4MPEG2."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

WIDTH, HEIGHT, RATE = 1280, 720, 30
Frame = NDArray[np.uint8]


def pack_face(element_string: str, lines: tuple[str, ...], *, module: int = 7) -> Frame:
    """A carton's side: a GS1 DataMatrix (`element_string` in square brackets) with the print beside it, in grey."""
    code = zxingcpp.create_barcode(element_string, zxingcpp.BarcodeFormat.DataMatrix, gs1=True, forceSquare=True)
    return _face(code, lines, module)


def link_face(uri: str, lines: tuple[str, ...], *, module: int = 7) -> Frame:
    """The same with a QR Code of a Digital Link."""
    return _face(zxingcpp.create_barcode(uri, zxingcpp.BarcodeFormat.QRCode), lines, module)


def _face(code: zxingcpp.Barcode, lines: tuple[str, ...], module: int) -> Frame:
    symbol = np.array(code.to_image(scale=module, add_quiet_zones=True), dtype=np.uint8)
    face = np.full((300, 560), 246, np.uint8)
    face[:18] = 90
    top = (300 - symbol.shape[0]) // 2 + 6
    face[top : top + symbol.shape[0], 24 : 24 + symbol.shape[1]] = symbol
    for number, line in enumerate(lines):
        place = (40 + symbol.shape[1], top + 34 + 40 * number)
        cv2.putText(face, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.78, 30, 2, cv2.LINE_AA)
    return face


def moving(face: Frame, seconds: float, seed: int) -> Iterator[Frame]:
    """The face before a table, shifted, turned, tilted and nearer and farther, with noise and uneven light."""
    random = np.random.default_rng(seed)
    count = round(seconds * RATE)
    height, width = face.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    across, down = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    light = (0.78 + 0.3 * (1 - across) * (1 - 0.5 * down)).astype(np.float32)
    table = cv2.GaussianBlur(random.normal(112, 26, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 9)
    for number in range(count):
        phase = 2 * np.pi * number / count
        angle = np.radians(7 + 9 * np.sin(phase))
        scale = 1.15 + 0.12 * np.cos(phase)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        placed = (corners - (width / 2, height / 2)) @ turn.T * scale
        placed += (WIDTH / 2 + 46 * np.cos(phase), HEIGHT / 2 + 26 * np.sin(2 * phase))
        placed[:2, 0] += np.array([9, -9]) * (1 + np.sin(phase))
        matrix = cv2.getPerspectiveTransform(corners, placed.astype(np.float32))
        frame = table.copy()
        cv2.warpPerspective(
            face.astype(np.float32), matrix, (WIDTH, HEIGHT), frame, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT
        )
        shown = cv2.GaussianBlur(frame * light, (0, 0), 0.7) + random.normal(0, 4, frame.shape)
        yield np.clip(shown, 0, 255).astype(np.uint8)


def write(file: Path, frames: Iterable[Frame]) -> Path:
    """The film; grey, as no code has colours."""
    chroma = bytes([128]) * (WIDTH * HEIGHT // 2)
    with file.open("wb") as out:
        out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            out.write(b"FRAME\n" + frame.tobytes() + chroma)
    return file
