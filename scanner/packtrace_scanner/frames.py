"""Codes in one picture that somebody sent: what a gateway beside the scanner offers to the phone page.

Registered under the entry point `packtrace.decoders`; the gateway finds it there, and imports nothing of the scanner.
"""

from typing import Any

import cv2
import numpy as np

from packtrace.errors import DocumentError
from packtrace_scanner.decoders import Decoder
from packtrace_scanner.reading import is_item

MAX_PIXELS = 4_200_000  # 4 megapixels: more than the frames of a phone's camera, and decoded in a moment
_RULE = f"JPEG or PNG, at most {MAX_PIXELS:,} pixels"


def decode(image: bytes) -> list[dict[str, Any]]:
    """Every code in a JPEG or PNG picture. Raises DocumentError for any other, and for one too large.

    One picture gives nobody a second look, so only what is certain counts.
    The size is read from the picture's head, before anything is unpacked: a small file can hold a huge picture.
    """
    width, height = _size(image)
    if not 0 < width * height <= MAX_PIXELS:
        raise DocumentError("the picture is too large; scale it down", field="body", value=(width, height), rule=_RULE)
    gray = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    if gray is None or gray.size > MAX_PIXELS:
        raise _refused()
    readings = Decoder(is_item, lambda _: None).read(gray.astype(np.uint8, copy=False))
    return [{"symbology": one.symbology, "text": one.text, "corners": one.corners} for one in readings if one.certain]


def _size(image: bytes) -> tuple[int, int]:
    if image[:8] == b"\x89PNG\r\n\x1a\n" and image[12:16] == b"IHDR":
        return int.from_bytes(image[16:20]), int.from_bytes(image[20:24])
    if image[:2] == b"\xff\xd8":
        return _jpeg_size(image)
    raise _refused()


def _jpeg_size(image: bytes) -> tuple[int, int]:
    """From the frame header, whose marker is SOF0 to SOF15 without DHT, JPG and DAC (ISO/IEC 10918-1, B.1.1.3)."""
    at = 2
    while at + 9 <= len(image) and image[at] == 0xFF:
        marker, length = image[at + 1], int.from_bytes(image[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(image[at + 7 : at + 9]), int.from_bytes(image[at + 5 : at + 7])
        at += 2 + length
    raise _refused()


def _refused() -> DocumentError:
    return DocumentError("this is no picture that can be read", field="body", rule=_RULE)
