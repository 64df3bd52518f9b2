"""The phone page in a real Chromium, its camera on a film of a pack in somebody's hand.

Frames that the quick look sees a second, while no code can be read; how soon after the camera's start a pack is read;
and how soon after that its verdict is there: proofs from the gateway, facts from the node, all checked in the page. The
browser, the gateway, the devnet and the film share the machine, and there is no graphics processor.
"""

import json
from collections.abc import Iterator

import cv2
import numpy as np

from benchmarks.measuring import Bench, Figure, at_least, at_most, percentiles
from tests.e2e.page import counter as counters
from tests.e2e.page import film

SECONDS, QUICK_SECONDS = 10, 2
STARTS, QUICK_STARTS = 30, 3
PACKS, QUICK_PACKS = 60, 3
MARKS = "performance.getEntriesByName('packtrace: {}').at(-1)?.startTime"


def measure(bench: Bench) -> Iterator[Figure]:
    with counters.opened(bench.folder) as counter:
        yield from _frames(counter, QUICK_SECONDS if bench.quick else SECONDS)
        yield from _reads(counter, QUICK_STARTS if bench.quick else STARTS)
        yield from _verdicts(counter, QUICK_PACKS if bench.quick else PACKS)


def _frames(counter: counters.Counter, seconds: float) -> Iterator[Figure]:
    face = film.pack_face(counter.code(counter.pack()), ("", "", "", ""))
    blurred = cv2.GaussianBlur(face, (0, 0), 8).astype(np.uint8)
    page = counter.phone(film.write(counter.folder / "blurred.y4m", film.moving(blurred, 1, seed=5)))
    looked = "[performance.now(), Number(document.querySelector('video').dataset.looked)]"
    page.until("Number(document.querySelector('video').dataset.looked) > 10")
    before = page.evaluate(looked)
    page.pump(seconds)
    after = page.evaluate(looked)
    yield Figure("frames looked at", (after[1] - before[1]) / (after[0] - before[0]) * 1000, "a second", at_least(25))


def _reads(counter: counters.Counter, starts: int) -> Iterator[Figure]:
    page = counter.phone(counter.film_of(counter.pack()))
    taken = []
    for _ in range(starts):
        page.until("document.querySelector('.verdict')?.dataset.kind === 'go'")
        taken.append(page.evaluate(f"{MARKS.format('read')} - {MARKS.format('camera')}"))
        page.tap("Scan the next pack")
        page.until("document.body.dataset.view === 'scan'")
    yield Figure("first read after the camera's start, p50", float(np.median(taken)), "ms", at_most(500))


def _verdicts(counter: counters.Counter, packs: int) -> Iterator[Figure]:
    """As after a read: from the code to the verdict on the screen."""
    page = counter.phone()
    taken = []
    for _ in range(packs):
        code = counter.code(counter.pack()).replace("[", "(").replace("]", ")")
        page.until("document.body.dataset.view === 'scan'")
        page.evaluate(
            "(async () => { const program = document.querySelector('script[type=module]').src;"
            " const { readCode } = await import(new URL('../lib/codes.js', program));"
            f" const scan = readCode({json.dumps(code)}); performance.mark('packtrace: asked');"
            " history.replaceState({ name: 'verdict', scan }, '');"
            " dispatchEvent(new PopStateEvent('popstate', { state: history.state })); })()"
        )
        page.until("document.querySelector('.verdict')?.dataset.kind === 'go'")
        taken.append(page.evaluate(f"{MARKS.format('verdict')} - {MARKS.format('asked')}"))
        page.tap("Scan the next pack")
    yield from percentiles("from a read to its verdict", taken, "ms", at_most(300))
