"""Hand scanners: each code as a line of text, from a serial port or typed like a keyboard's.

A scanner ends each code with a carriage return, a line feed, both, or (where it is set so) with nothing at all; then
a short silence is the end.
"""

import sys
import time
from collections.abc import Callable, Iterator

from packtrace_scanner.images import SourceError
from packtrace_scanner.sources import Source, Typed

KEYBOARD = "keyboard"
SERIAL_PREFIX = "serial:"
BAUD = 9600
"""What scanners are set to when they leave the factory; over USB it does not matter."""

SILENCE = 0.1
"""Seconds without a character that end a code. At 9600 baud one character takes a millisecond."""

MOST_CHARACTERS = 8192


def is_hand_scanner(spec: str) -> bool:
    """Whether a source's name means a hand scanner: ``keyboard``, or ``serial:DEVICE`` (``serial:/dev/ttyACM0``)."""
    return spec == KEYBOARD or spec.startswith(SERIAL_PREFIX)


def open_hand_scanner(spec: str) -> Source:
    """The scanner that `spec` names, with ``@BAUD`` behind the device where it is not 9600. Raises SourceError."""
    if spec == KEYBOARD:
        return Source("what the keyboard or a scanner types", True, _timed(KEYBOARD, _typed()))
    device, _, baud = spec.removeprefix(SERIAL_PREFIX).partition("@")
    if baud and not (baud.isascii() and baud.isdecimal()):
        raise SourceError("the speed is a number, as in serial:/dev/ttyUSB0@115200", field="source", value=spec)
    return Source(f"scanner at {device}", True, _timed(device, _received(device, int(baud or BAUD))))


def _timed(name: str, lines: Iterator[str]) -> Iterator[Typed]:
    start = time.monotonic()
    for text in lines:
        if text.strip():
            yield Typed(name, time.monotonic() - start, text)


def _typed() -> Iterator[str]:
    for line in sys.stdin:
        yield line.rstrip("\n")


def _received(device: str, baud: int) -> Iterator[str]:
    import serial  # a camera needs none of it

    try:
        port = serial.Serial(device, baud, timeout=SILENCE)
    except (serial.SerialException, ValueError, OSError) as error:
        raise SourceError(
            f"this port cannot be opened ({error}): is the scanner plugged in, and may this user read it? "
            f"{_ports_here()}",
            field="source",
            value=f"{SERIAL_PREFIX}{device}",
        ) from error
    with port:
        try:
            yield from codes(lambda: port.read(max(port.in_waiting, 1)))
        except (serial.SerialException, OSError) as error:
            raise SourceError(
                "the scanner is gone; plug it in again and start anew", field="source", value=device
            ) from error


def codes(read: Callable[[], bytes]) -> Iterator[str]:
    """Codes from pieces of what a scanner sends. `read` gives what has come, and nothing after `SILENCE` seconds."""
    pending = b""
    while True:
        piece = read()
        pending += piece
        *lines, pending = pending.replace(b"\r", b"\n").split(b"\n")
        if not piece or len(pending) > MOST_CHARACTERS:
            lines, pending = [*lines, pending], b""
        for line in lines:
            if line:
                yield line.decode("utf-8", "replace")


def _ports_here() -> str:
    from serial.tools import list_ports

    listed = ", ".join(f"{port.device} ({port.description})" for port in list_ports.comports())
    return f"Serial ports here: {listed}." if listed else "The system lists no serial port."
