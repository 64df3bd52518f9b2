"""What people do and see at the phone page, for its tests."""

import time
from collections.abc import Callable
from typing import Any

from chromium import PATIENCE, Page

from packtrace_gateway.demo.companies import GTIN
from packtrace_gateway.demo.story import EXPIRY_YYMMDD

Json = dict[str, Any]
NODE_GONE = (
    "(window.kept = window.fetch, window.fetch = (url, ...rest) =>"
    " String(url).startsWith('http:') ? Promise.reject(new TypeError('down')) : kept(url, ...rest), 1)"
)
HEAD = "(document.querySelector('.verdict h1')?.innerText ?? '')"
PLAYED = "['go', 'stop', 'care', 'unknown'].includes(document.querySelector('.verdict')?.dataset.kind)"


def kind(page: Page) -> str:
    """The verdict's kind, once there is one."""
    page.until(PLAYED)
    return str(page.evaluate("document.querySelector('.verdict').dataset.kind"))


def headline(page: Page) -> str:
    kind(page)
    return page.text(".verdict h1").split(":", 1)[1].strip()


def type_code(page: Page, counter: Any, serial: str, *, lot: str | None = None, expiry: str = EXPIRY_YYMMDD) -> None:
    """The last resort: typed by hand."""
    page.until("document.body?.dataset.view === 'scan'")
    page.tap("Type the code")
    for name, value in (("gtin", GTIN), ("serial", serial), ("lot", lot or counter.lot.lot), ("expiry", expiry)):
        page.fill(f"dialog input[name={name}]", value)
    page.tap("Check this pack")


def checks(page: Page) -> dict[str, str]:
    """What was checked, and how each came out."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.checklist li')].map("
        "(one) => [one.querySelector('strong').innerText, one.className]))"
    )
    return found


def other_index(material: Json) -> None:
    material["pedigree"]["events"][0]["i"][0] += 1


def verdict(counter: Any, code: Json) -> Json:
    found: Json = counter.gateway.client.post("/verify", code)["verdict"]
    return found


def wait_for(what: Callable[[], bool]) -> None:
    """The page's node may be a block ahead of what the gateway has seen."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.2)
