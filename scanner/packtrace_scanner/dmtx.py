"""Data Matrix through libdmtx, which finds symbols by following their solid edges: other ones than zxing-cpp loses.

The library is bound here directly. Its wrapper on PyPI drops every FNC1, since it leaves the property unset that says
what stands for it, and needs a part of Python's library that 3.12 no longer has.
"""

import ctypes
import math
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_long, c_ubyte, c_ulong, c_void_p, string_at
from ctypes.util import find_library
from dataclasses import dataclass

import numpy as np

from packtrace_scanner.images import Gray

OLDEST = (0, 7, 5)
"""The first version with the property for FNC1."""

_PACK_8_BIT_GREY = 300
_PROPERTY_FNC1, _GROUP_SEPARATOR = 104, 29
_UNLIMITED = -1
_HEAD_INTEGERS = 80


class LibdmtxMissingError(ImportError):
    """libdmtx is not on this machine."""


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_longlong), ("microseconds", c_ulong))


class _Message(ctypes.Structure):
    _fields_ = (
        ("array_size", ctypes.c_size_t),
        ("code_size", ctypes.c_size_t),
        ("output_size", ctypes.c_size_t),
        ("output_index", c_int),
        ("pad_count", c_int),
        ("fnc1", c_int),
        ("array", POINTER(c_ubyte)),
        ("code", POINTER(c_ubyte)),
        ("output", POINTER(c_ubyte)),
    )


class _Region(ctypes.Structure):
    _fields_ = (("head", c_int * _HEAD_INTEGERS), ("raw_to_fit", c_double * 9), ("fit_to_raw", c_double * 9))


@dataclass(frozen=True, slots=True)
class DmtxSymbol:
    """One symbol as libdmtx gives it: its data, FNC1 as 0x1D (also the leading one), and its corners in pixels."""

    data: bytes
    corners: tuple[tuple[float, float], ...]


class Libdmtx:
    """libdmtx. Raises LibdmtxMissingError where the library cannot be loaded."""

    def __init__(self) -> None:
        name = find_library("dmtx")
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            library = None
        if library is None:
            raise LibdmtxMissingError(
                "libdmtx is missing, so fewer damaged codes are read from still pictures; install the package"
                " libdmtx0t64 (Debian 13, Ubuntu 24.04), libdmtx0b (older ones), libdmtx (Fedora, Homebrew)"
            )
        self._lib = library
        for function, result, arguments in (
            ("dmtxVersion", c_char_p, ()),
            ("dmtxImageCreate", c_void_p, (c_char_p, c_int, c_int, c_int)),
            ("dmtxImageDestroy", c_int, (POINTER(c_void_p),)),
            ("dmtxDecodeCreate", c_void_p, (c_void_p, c_int)),
            ("dmtxDecodeDestroy", c_int, (POINTER(c_void_p),)),
            ("dmtxDecodeSetProp", c_int, (c_void_p, c_int, c_int)),
            ("dmtxTimeNow", _Time, ()),
            ("dmtxTimeAdd", _Time, (_Time, c_long)),
            ("dmtxRegionFindNext", POINTER(_Region), (c_void_p, POINTER(_Time))),
            ("dmtxRegionDestroy", c_int, (POINTER(POINTER(_Region)),)),
            ("dmtxDecodeMatrixRegion", POINTER(_Message), (c_void_p, POINTER(_Region), c_int)),
            ("dmtxMessageDestroy", c_int, (POINTER(POINTER(_Message)),)),
        ):
            bound = getattr(library, function)
            bound.restype, bound.argtypes = result, arguments
        version = library.dmtxVersion().decode("ascii", "replace")
        if tuple(int(part) for part in version.split(".")[:3] if part.isdecimal()) < OLDEST:
            raise LibdmtxMissingError(f"libdmtx {version} is too old to tell GS1 data; install version 0.7.5 or newer")

    def read(self, gray: Gray, limit: float) -> DmtxSymbol | None:
        """The first symbol found in the picture, within about `limit` seconds."""
        lib = self._lib
        high, wide = gray.shape
        pixels = np.ascontiguousarray(gray).tobytes()
        image = c_void_p(lib.dmtxImageCreate(pixels, wide, high, _PACK_8_BIT_GREY))
        if not image:
            return None
        decoder = c_void_p(lib.dmtxDecodeCreate(image, 1))
        try:
            if not decoder or not lib.dmtxDecodeSetProp(decoder, _PROPERTY_FNC1, _GROUP_SEPARATOR):
                return None
            until = lib.dmtxTimeAdd(lib.dmtxTimeNow(), math.ceil(limit * 1000))
            while region := lib.dmtxRegionFindNext(decoder, byref(until)):
                try:
                    symbol = self._decode(decoder, region, high)
                finally:
                    lib.dmtxRegionDestroy(byref(region))
                if symbol is not None:
                    return symbol
            return None
        finally:
            if decoder:
                lib.dmtxDecodeDestroy(byref(decoder))
            lib.dmtxImageDestroy(byref(image))

    def _decode(self, decoder: c_void_p, region: "ctypes._Pointer[_Region]", high: int) -> DmtxSymbol | None:
        message = self._lib.dmtxDecodeMatrixRegion(decoder, region, _UNLIMITED)
        if not message:
            return None
        try:
            data = string_at(message.contents.output, message.contents.output_index)
        finally:
            self._lib.dmtxMessageDestroy(byref(message))
        matrix = np.array(region.contents.fit_to_raw, np.float64).reshape(3, 3)
        # The library's rows are vectors, its y goes up, and its unit square begins at the corner of the solid edges.
        ends = np.array([[0, 1, 1], [1, 1, 1], [1, 0, 1], [0, 0, 1]], np.float64) @ matrix
        points = ends[:, :2] / ends[:, 2:]
        return DmtxSymbol(data, tuple((float(x), float(high - y)) for x, y in points))
