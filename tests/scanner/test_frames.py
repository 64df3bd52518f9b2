"""A single picture for the phone page: what is certain counts, and nothing else."""

import cv2
import numpy as np
import zxingcpp

from packtrace_scanner.decoders import Decoder
from packtrace_scanner.frames import decode


def picture(text: str) -> bytes:
    """A Data Matrix on a white page, as a PNG."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix, forceSquare=True)
    modules = np.asarray(code.to_image(scale=1, add_quiet_zones=False), np.uint8)
    page = cv2.copyMakeBorder(
        np.kron(modules, np.ones((12, 12), np.uint8)), 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255
    )
    return cv2.imencode(".png", page)[1].tobytes()


def test_what_one_picture_proves_is_given() -> None:
    (found,) = decode(picture("packtrace proves this"))
    assert (found["symbology"], found["text"]) == ("]d1", "packtrace proves this")


def test_a_symbol_that_is_too_small_to_prove_itself_is_not() -> None:
    """10 x 10 modules: it is read, but chance could give it, and there is no second frame."""
    small = picture("1")
    gray = cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_GRAYSCALE)
    readings = Decoder().read(gray)
    assert [(reading.text, reading.certain) for reading in readings] == [("1", False)]
    assert decode(small) == []
