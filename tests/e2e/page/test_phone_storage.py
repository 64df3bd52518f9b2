"""What a phone keeps, in the browser's real storage: a queue as its person wants it; storage that is full, or gone."""

from typing import Any

import pytest
from acts import headline, kind
from chromium import Page
from host import Host, set_up, version_of

from packtrace_gateway.demo.companies import GTIN

pytestmark = pytest.mark.e2e
# A gateway and a node that note what is asked of them; the queue and what works through it are the page's own.
WORKED = """
(async () => {
  const { queue, packs } = await import('./VERSION/app/store.js');
  const { workThrough } = await import('./VERSION/app/sync.js');
  const { Refused } = await import('./VERSION/app/gateway.js');
  const asked = [];
  const operations = new Map(GIVEN);
  const statuses = new Map(BEFORE);
  const app = {
    config: { place: 7 }, online: true, asking: (work) => work(), counted: async () => null,
    verifier: { async verify({ serial }) {
      await (WHILE)(serial, queue);
      const gone = statuses.has(serial);
      const [headline, status] = gone ? ['already supplied', 'SUPPLIED'] : ['authentic, available', 'ACTIVE'];
      return { verdict: { headline, status, changed: gone ? { party: 7 } : null } };
    } },
    gateway: {
      async named(name) {
        asked.push(`named ${name}`);
        if (!operations.has(name)) throw new Refused(404, { detail: 'none' });
        return operations.get(name);
      },
      async dispense({ serial }, acknowledge, name) {
        asked.push(`dispense ${name}`);
        statuses.set(serial, name);
        return { id: 5, state: 'done', packs: [{ refusal: 'none', undone: null }] };
      },
    },
  };
  const scan = (serial) => ({ gtin: '09506000134352', serial, lot: null, expiry: null });
  for (const [time, id] of ['a', 'b', 'c'].entries()) await queue.put({ id, time, action: 'dispense', scan: scan(id) });
  await workThrough(app);
  const left = (await queue.all()).map(({ id, held }) => `${id}: ${held?.key ?? held?.words}`);
  const kept = {};
  for (const { scan, operation } of await packs.recent(9)) kept[scan.serial] = operation ?? null;
  return { asked, left, kept };
})()
"""


def worked(
    page: Page, host: Host, *, while_checked: str = "() => null", supplied: str = "[]", given: str = "[]"
) -> Any:
    """What is asked of the gateway for three packs in the queue, what is left in it, and what is kept."""
    script = WORKED.replace("VERSION", version_of(host.files)).replace("WHILE", while_checked)
    return page.evaluate(script.replace("GIVEN", given).replace("BEFORE", supplied))


@pytest.mark.parametrize("checked", ["a", "b"])
def test_what_a_person_takes_out_of_the_queue_is_not_dispensed(host: Host, page: Page, checked: str) -> None:
    """Whether it waits for its turn, or is just being checked."""
    page.open(host.url)
    page.until("document.body?.dataset.view === 'setup'")
    taken_out = f"async (serial, queue) => serial === '{checked}' && await queue.remove('b')"
    found = worked(page, host, while_checked=taken_out)
    assert found["asked"] == ["dispense a", "dispense c"]
    assert found["left"] == []


def test_what_comes_into_the_queue_while_it_is_worked_through_is_done_as_well(host: Host, page: Page) -> None:
    page.open(host.url)
    page.until("document.body?.dataset.view === 'setup'")
    put_in = (
        "async (serial, queue) => serial === 'b' && await queue.put({ id: 'd', time: 9, action: 'dispense',"
        " scan: { gtin: '09506000134352', serial: 'd', lot: null, expiry: null } })"
    )
    assert worked(page, host, while_checked=put_in)["asked"] == [f"dispense {name}" for name in "abcd"]


def test_what_is_supplied_already_is_looked_up_and_never_sent(host: Host, page: Page) -> None:
    """By another phone of this place: a finding. By a press whose answer was lost: done, and can be undone."""
    page.open(host.url)
    page.until("document.body?.dataset.view === 'setup'")
    own = "[['b', { id: 8, state: 'done', packs: [{ refusal: 'none', undone: null }] }]]"
    found = worked(page, host, supplied="[['a', 1], ['b', 1]]", given=own)
    assert found["asked"] == ["named a", "named b", "dispense c"]
    assert found["left"] == ["a: verdict.SUPPLIED"]
    assert found["kept"] == {"a": None, "b": 8, "c": 5}


def offline_at_a_pack(page: Page) -> None:
    page.tap("Type the code")
    page.fill("dialog input[name=gtin]", GTIN)
    page.fill("dialog input[name=serial]", "S1")
    page.tap("Check this pack")
    assert kind(page) == "unknown"
    assert headline(page) == "Not verified: offline"


def test_what_cannot_be_kept_is_not_said_to_be_kept(host: Host, page: Page) -> None:
    set_up(page, host)
    offline_at_a_pack(page)
    full = (
        "(window.put = IDBObjectStore.prototype.put, IDBObjectStore.prototype.put = function () {"
        " throw new DOMException('no room', 'QuotaExceededError'); }, 1)"
    )
    page.evaluate(full)
    page.tap("Check it when there is a connection")
    page.until("document.querySelector('.verdict h1').innerText.includes('Not kept')")
    assert "no room" in page.text(".verdict")
    page.tap("Report as suspect")
    page.fill("dialog textarea", "the seal is broken")
    page.tap("Send the report")
    page.until("document.querySelector('dialog .problem').innerText.includes('no room')")
    page.evaluate("(IDBObjectStore.prototype.put = put, 1)")
    page.tap("Send the report")
    page.until("document.querySelector('dialog h2').innerText.startsWith('The report is kept here')")
    assert page.errors == []


def test_storage_that_the_browser_took_away_is_asked_for_again(host: Host, page: Page) -> None:
    set_up(page, host)
    origin = host.url.removesuffix("/phone/")
    page.call("Storage.clearDataForOrigin", origin=origin, storageTypes="indexeddb")
    offline_at_a_pack(page)
    page.tap("Check it when there is a connection")
    page.until("document.querySelector('.kept') !== null")


def test_an_answer_about_one_pack_that_comes_late_is_not_said_beside_another(host: Host, page: Page) -> None:
    set_up(page, host)
    late = (
        "(window.kept = fetch, window.fetch = (url, asked) => String(url).startsWith('/verify')"
        " ? new Promise((resolve) => (window.come = () => resolve(kept(url, asked)))) : kept(url, asked), 1)"
    )
    page.evaluate(late)
    page.tap("Type the code")
    page.fill("dialog input[name=gtin]", GTIN)
    page.fill("dialog input[name=serial]", "S1")
    page.tap("Check this pack")
    page.until("window.come !== undefined")
    page.evaluate("history.back()")
    page.until("document.body.dataset.view === 'scan'")
    page.evaluate("(window.come(), 1)")
    page.pump(1)
    assert page.evaluate("document.getElementById('alert').textContent") == ""
    assert page.evaluate("document.title") == "Scan a pack – packtrace"
    assert page.evaluate("import('./VERSION/app/store.js').then(({ packs }) => packs.recent(9))".replace(
        "VERSION", version_of(host.files)
    )) == []  # fmt: skip


def test_what_was_said_of_one_pack_is_not_left_beside_the_next(host: Host, page: Page) -> None:
    set_up(page, host)
    offline_at_a_pack(page)
    page.until("document.getElementById('alert').textContent.startsWith('Unknown. Not verified')")
    assert page.evaluate("document.title") == "Not verified: offline – packtrace"
    page.tap("Scan the next pack")
    page.until("document.body.dataset.view === 'scan'")
    assert page.evaluate("document.getElementById('alert').textContent") == ""
