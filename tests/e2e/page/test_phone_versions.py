"""A gateway takes another's place while phones fetch its page: they have a version whole, or say that they have not."""

from collections.abc import Mapping

import pytest
from chromium import Page
from host import Host, set_up, version_of

from packtrace_gateway.phone.files import PageFile, page_of, page_sources

pytestmark = pytest.mark.e2e
VERSION = "[...document.querySelectorAll('script')].map((one) => one.getAttribute('src').split('/')[0]).join()"
KEPT = "caches.keys().then((all) => all.map((one) => one.replace('packtrace-', '')).join())"
TOAST = "(document.querySelector('.toast')?.innerText ?? '')"


def old_and_new() -> tuple[dict[str, PageFile], dict[str, PageFile]]:
    """Two versions of the page; they differ in one file of the program."""
    sources = page_sources()
    return page_of(sources), page_of(sources | {"lib/dates.js": sources["lib/dates.js"] + b"\n"})


def mixed(old: Mapping[str, PageFile], new: Mapping[str, PageFile], name: str) -> dict[str, PageFile]:
    """The new version, but for one file that is the old one's still (a proxy kept it, say)."""
    return {**new, f"{version_of(new)}/{name}": old[f"{version_of(old)}/{name}"]}


@pytest.mark.parametrize("name", ["lib/dates.js", None])
def test_a_new_version_of_which_one_file_is_another_ones_is_not_taken(host: Host, page: Page, name: str | None) -> None:
    old, new = old_and_new()
    host.files = old
    set_up(page, host)
    assert page.evaluate(KEPT) == version_of(old)

    if name:
        host.files = mixed(old, new, name)
    else:  # the gateway goes back in the middle: the rest of the new version is not there any more
        host.files = new
        host.after = lambda asked: setattr(host, "files", {**old, "sw.js": new["sw.js"]}) if asked == "sw.js" else None
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
    page.until(f"{TOAST}.startsWith('This version of the page did not come whole')")
    page.until("document.getElementById('status').textContent.startsWith('This version')")
    assert page.evaluate(KEPT) == version_of(old)
    assert page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.waiting)") is None
    page.open("about:blank")
    page.open(host.url)
    page.until("document.body?.dataset.view === 'scan'")
    assert page.evaluate(VERSION) == version_of(old), "the version before goes on"

    page.until(f"{TOAST}.startsWith('This version of the page did not come whole')")  # a page that starts asks anew
    host.after = lambda _name: None
    host.files = new
    page.evaluate("window.dispatchEvent(new Event('online'))")  # or a minute later
    page.until(f"{TOAST}.startsWith('A new version is ready')")
    assert page.evaluate(KEPT).split(",") == [version_of(old), version_of(new)]
    page.tap("Reload")
    page.until(f"{KEPT}.then((kept) => kept === '{version_of(new)}')")
    page.until("document.body?.dataset.view === 'scan'")
    page.until(f"{VERSION} === '{version_of(new)}'")
    assert page.errors == []


def test_a_version_that_is_not_there_any_more_is_not_asked_for_for_ever(host: Host, page: Page) -> None:
    """It did not come whole, and then the gateway went back to the one that the phone has."""
    old, new = old_and_new()
    host.files = old
    set_up(page, host)
    host.files = mixed(old, new, "lib/dates.js")
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
    page.until(f"{TOAST}.startsWith('This version of the page did not come whole')")
    host.files = old
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.until("document.querySelector('.toast') === null")
    assert page.evaluate(KEPT) == version_of(old)


def test_what_is_not_of_the_page_is_the_gateways_though_the_page_is_kept(host: Host, page: Page) -> None:
    """The certificate of its authority, say."""
    set_up(page, host)
    page.open(f"{host.url}authority.crt")
    page.until("document.body?.innerText.includes('the page has no such file')")


def test_a_tab_whose_other_tab_went_over_goes_over_as_well(host: Host, page: Page) -> None:
    host.files, new = old_and_new()
    set_up(page, host)
    host.files = new
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
    page.until(f"{TOAST}.startsWith('A new version is ready')")
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.waiting.postMessage('go over'))")
    page.until(f"{KEPT}.then((kept) => kept === '{version_of(new)}')")
    page.tap("Reload")
    page.until(f"{VERSION} === '{version_of(new)}' && document.body?.dataset.view === 'scan'")


def test_a_page_that_is_not_kept_yet_never_runs_with_another_ones_files(host: Host, page: Page) -> None:
    old, new = old_and_new()
    host.files = old

    def replaced(asked: str) -> None:
        host.files = new if asked == "" else host.files

    host.after = replaced
    page.open(host.url)
    page.until("document.querySelector('.begun')?.checkVisibility({ visibilityProperty: true })")
    assert "Please load the page again" in page.text()
    assert page.evaluate("document.body.dataset.view") is None
    host.after = lambda _name: None
    page.call("Page.reload")
    page.until("document.body?.dataset.view === 'setup'")
    assert page.evaluate(VERSION) == version_of(new)


def test_a_first_version_that_does_not_come_whole_is_asked_for_again(host: Host, page: Page) -> None:
    """The page works meanwhile; only what needs no gateway is not kept yet."""
    old, _new = old_and_new()
    host.files = {**old, "icons/icon-512.png": old["icons/icon-192.png"]}
    page.open(host.url)
    page.until("document.body?.dataset.view === 'setup'")
    page.until(f"{TOAST} !== '' || document.querySelector('.toast')?.textContent")
    assert page.evaluate(KEPT) == ""
    host.files = old
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.until("navigator.serviceWorker.controller !== null")
    assert page.evaluate(KEPT) == version_of(old)
    assert page.evaluate("document.querySelector('.toast')") is None
