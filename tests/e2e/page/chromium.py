"""A real Chromium, driven over the DevTools protocol as a person would: touches, keys, what a screen reader hears.

No more than the tests need: one browser, one page, and the answers waited for.
"""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--lang=en-GB", "--hide-scrollbars",
    "--force-color-profile=srgb",
)  # fmt: skip
PATIENCE = 90.0  # seconds; a busy machine is slow, and nobody waits where all is well
TOUCHES, TAKEN_WITHIN = 3, 10.0  # seconds until a touch counts as not taken
WIDTH, HEIGHT, SCALE = 390, 844, 2
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), " ": (32, " "), "ArrowRight": (39, "")}


def find() -> str | None:
    """Chromium's program on this machine."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class PageError(AssertionError):
    """The page did not come to what was waited for; the message says what it showed."""


class Page:
    """The browser's one page."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket = socket
        self._session = session
        self._numbers = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self.errors: list[str] = []
        self.heard: list[str] = []
        self._on_request: Callable[[dict[str, Any]], None] | None = None
        self._taken = 0  # touches that came to the element that was meant
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.call(f"{domain}.enable")
        metrics = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": SCALE, "mobile": True}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setTouchEmulationEnabled", enabled=True)
        self.call("Runtime.addBinding", name="taken")

    # ---- the protocol ----

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, "sessionId": self._session}))
        deadline = time.monotonic() + PATIENCE
        while number not in self._answers:
            self._receive(deadline - time.monotonic())
        answer = self._answers.pop(number)
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self, seconds: float) -> None:
        message = json.loads(self._socket.recv(timeout=max(seconds, 0.001)))
        if "id" in message:
            self._answers[message["id"]] = message
        elif message["method"] == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            entry = message["params"]["entry"]
            if entry["source"] != "network":
                self.errors.append(f"{entry['text']} {entry.get('url', '')}")
        elif message["method"] == "Runtime.bindingCalled":
            self._taken += 1
        elif message["method"] == "Fetch.requestPaused" and self._on_request:
            self._on_request(message["params"])

    def pump(self, seconds: float) -> None:
        """Let time pass, and see what happens meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self._receive(left)
            except TimeoutError:
                return

    @contextmanager
    def tampering(self, pattern: str, change: Callable[[Any], Any]) -> Iterator[None]:
        """While this lasts, answers to requests that fit `pattern` are JSON that somebody changes on the way."""
        busy: list[dict[str, Any]] = []

        def paused(params: dict[str, Any]) -> None:
            busy.append(params)
            found = self.call("Fetch.getResponseBody", requestId=params["requestId"])
            body = base64.b64decode(found["body"]) if found["base64Encoded"] else found["body"].encode()
            changed = json.dumps(change(json.loads(body))).encode()
            self.call(
                "Fetch.fulfillRequest",
                requestId=params["requestId"],
                responseCode=params["responseStatusCode"],
                responseHeaders=[{"name": "Content-Type", "value": "application/json"}],
                body=base64.b64encode(changed).decode(),
            )

        self._on_request = paused
        self.call("Fetch.enable", patterns=[{"urlPattern": pattern, "requestStage": "Response"}])
        try:
            yield
        finally:
            self.call("Fetch.disable")
            self._on_request = None
        assert busy, f"nothing was asked that fits {pattern}"

    # ---- what a person does ----

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def until(self, expression: str, patience: float = PATIENCE) -> Any:
        """Wait until a JavaScript expression is true; its value."""
        deadline = time.monotonic() + patience
        while not (value := self.evaluate(expression)):
            if time.monotonic() > deadline:
                shown = self.evaluate("document.body.innerText")
                raise PageError(f"{expression} did not come true; the page shows:\n{shown}\n{self.errors}")
            self.pump(0.02)
        return value

    def text(self, selector: str = "main") -> str:
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def tap(self, name: str, selector: str = "button") -> None:
        """Touch the element of that name, as a finger does: it must be on the screen, and nothing may lie over it.

        A touch that does not come to it is made again: start and end are a long press where the machine is slow between
        them, and the page may move under a finger.
        """
        element = f"[...document.querySelectorAll({json.dumps(selector)})].find((one) => one.checkVisibility() && "
        element += f"(one.getAttribute('aria-label') ?? one.innerText).trim() === {json.dumps(name)})"
        self.until(f"Boolean({element})")
        self.evaluate(f"({element}).addEventListener('click', () => taken(''), {{ once: true, capture: true }})")
        before = self._taken
        for _ in range(TOUCHES):
            self._touch(element, name)
            limit = time.monotonic() + TAKEN_WITHIN
            while self._taken == before and time.monotonic() < limit:
                self.pump(0.05)
            if self._taken > before:
                return
        raise PageError(f"{name} was touched {TOUCHES} times and never pressed")

    def _touch(self, element: str, name: str) -> None:
        point = self.evaluate(
            f"(() => {{ const one = {element}; one.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            " const box = one.getBoundingClientRect(); const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];"
            " const top = document.elementFromPoint(x, y);"
            " return {x, y, free: one.contains(top) || one.labels?.[0]?.contains(top)}; })()"
        )
        assert point["free"], f"something lies over {name}"
        touches = [{"x": point["x"], "y": point["y"]}]
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=touches)
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key: str) -> None:
        code, text = KEYS[key]
        shared = {"key": key, "code": {" ": "Space"}.get(key, key), "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **shared)
        self.call("Input.dispatchKeyEvent", type="keyUp", **shared)

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def fill(self, selector: str, text: str) -> None:
        """Write into a field."""
        self.until(f"Boolean(document.querySelector({json.dumps(selector)}))")
        self.evaluate(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.value = ''; one.focus(); }})()"
        )
        self.write(text)
        self.evaluate(
            f"document.querySelector({json.dumps(selector)}).dispatchEvent(new Event('change', {{bubbles: true}}))"
        )

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files, as from the phone's own dialog."""
        found = self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        object_id = found["result"]["objectId"]
        self.call("DOM.setFileInputFiles", files=[str(file) for file in files], objectId=object_id)

    def accessible(self) -> list[tuple[str, str]]:
        """(role, name) of all that a screen reader comes to, in order."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
        ]

    def screenshot(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=False)
        file.write_bytes(base64.b64decode(picture["data"]))


class Browser:
    """A Chromium with a folder of its own, and a camera that shows a film."""

    def __init__(self, folder: Path, *, film: Path | None, trusted_key: str, more: Sequence[str] = ()) -> None:
        program = find()
        assert program is not None, "Chromium is missing: ./packtrace test says how to install it"
        flags = [*FLAGS, *more, f"--user-data-dir={folder}", f"--ignore-certificate-errors-spki-list={trusted_key}"]
        if film is not None:
            flags.append(f"--use-file-for-fake-video-capture={film}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "DevToolsActivePort").unlink(missing_ok=True)
        self._log = (folder / "chromium.log").open("wb")
        self.process = subprocess.Popen(
            [program, *flags, "about:blank"], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        self._ends = ExitStack()
        address = self._address(folder / "DevToolsActivePort")
        self._socket = self._ends.enter_context(connect(address, max_size=64 << 20))
        self.page = self._page()

    def _address(self, file: Path) -> str:
        deadline = time.monotonic() + PATIENCE
        while not file.exists() or file.read_text().count("\n") < 1:
            assert self.process.poll() is None, "Chromium ended at once; its log is chromium.log"
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        port, path = file.read_text().split("\n")[:2]
        return f"ws://127.0.0.1:{port}{path}"

    def _page(self) -> Page:
        def call(number: int, method: str, **params: Any) -> Any:
            self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
            while (answer := json.loads(self._socket.recv(timeout=PATIENCE))).get("id") != number:
                pass
            return answer["result"]

        targets = call(-1, "Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        session = call(-2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self._socket, session)

    def close(self) -> None:
        self._ends.close()
        self.process.terminate()
        self.process.wait(20)
        self._log.close()
