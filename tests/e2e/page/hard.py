"""Frames for the gateway's help: what a phone's reader does not read, and the scanner's pipeline does."""

import sys
from pathlib import Path

import cv2
import numpy as np
import zxingcpp
from film import Frame

from packtrace_scanner.frames import decode

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from benchmarks.hard_pictures import PICTURES, TUNING_SEED, picture


def frame_of(says: tuple[str, str]) -> Frame:
    """A frame that zxing does not read and the scanner's pipeline does; `says` is the pack's data, bracketed and plain.

    Symbols with broken finders: zxing cannot locate them. The phone's reader is zxing too, and what it sees are video
    levels stretched to all of grey.
    """
    for number in range(PICTURES):
        frame = picture("broken finder", TUNING_SEED, number, says).gray
        stretched = np.clip((frame.astype(np.float32) - 16) * 255 / 219, 0, 255).astype(np.uint8)
        both = (frame, stretched)
        if not any(zxingcpp.read_barcodes(one) for one in both) and all(_decoded(one) == [says[1]] for one in both):
            return frame
    raise AssertionError(f"there is no such frame of {says[1]}")


def _decoded(frame: Frame) -> list[str]:
    jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    return [reading["text"] for reading in decode(jpeg)]
