"""The company's own gateway, as somebody uses it who scans goods: what is where, and what happens to it."""

from typing import Any
from urllib.parse import quote

import httpx

from packtrace.errors import PacktraceError
from packtrace_scanner.settings import Settings, SettingsError
from packtrace_scanner.verifier import read_api_key

TIMEOUT = 10.0
"""Seconds."""

BUSY = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS)


class OfflineError(PacktraceError):
    """The gateway does not answer, or is in trouble: the same can be asked later. `value` is what it says of that."""


class NotNowError(OfflineError):
    """The gateway is there, and does not do this now. It may do something else."""


class RefusedError(PacktraceError):
    """The gateway refused, for the reason that it gives; `value` is what it is about, where it says so.

    Nothing of what it was asked is done then.
    """

    def __init__(self, message: str, *, status: int, value: Any = None) -> None:
        super().__init__(message, value=value)
        self.status = status


class Gateway:
    """Raises OfflineError or RefusedError in every call."""

    def __init__(self, settings: Settings) -> None:
        if settings.gateway is None or settings.api_key_file is None:
            missing = [name for name in ("gateway", "api_key_file") if getattr(settings, name) is None]
            raise SettingsError("to record anything, this is needed too", field=", ".join(missing))
        headers = {"Authorization": f"Bearer {read_api_key(settings.api_key_file)}"}
        self._http = httpx.Client(base_url=settings.gateway, headers=headers, timeout=TIMEOUT)

    def close(self) -> None:
        self._http.close()

    def unit(self, sscc: str) -> dict[str, Any] | None:
        """A logistic unit as it is recorded at the gateway; None where it is not known there."""
        found: dict[str, Any] | None = self._known(f"/logistic-units/{quote(sscc)}")
        return found

    def contents(self, sscc: str) -> dict[str, str]:
        """What is inside a unit, at every depth: URI → URI of what it lies in."""
        listed = self._known(f"/logistic-units/{quote(sscc)}/contents") or []
        return {entry["uri"]: entry["inside"] for entry in listed}

    def capture(self, document: dict[str, Any]) -> dict[str, Any]:
        """Capture an EPCIS document. The same document again changes nothing: its events have ids."""
        return self._dict("POST", "/capture", document)

    def receive(self, delivery: dict[str, Any]) -> dict[str, Any]:
        """Receive a delivery some of which is missing; the same again changes nothing."""
        return self._dict("POST", "/arrivals/receive", delivery)

    def dispense(self, pack: dict[str, Any], request: str) -> dict[str, Any]:
        """Order that a pack is dispensed; `request` is this order's own name, so that a repeated one does nothing."""
        return self._dict("POST", "/dispense", {"packs": [pack], "request": request})

    def operation(self, number: int) -> dict[str, Any]:
        return self._dict("GET", f"/operations/{number}")

    def _known(self, path: str) -> Any:
        try:
            return self._ask("GET", path)
        except RefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def _dict(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask(method, path, body)
        return answer

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.ReadTimeout as error:
            raise NotNowError(f"the gateway takes longer than {TIMEOUT:.0f} s for this") from error
        except httpx.HTTPError as error:
            raise OfflineError(f"the gateway does not answer: {str(error) or type(error).__name__}") from error
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):  # nothing scanned is lost by it
            raise NotNowError("the gateway does not let this scanner do this: its API key has ended, or lacks the role")
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code in BUSY:
            raise NotNowError(f"the gateway is in trouble ({answer.status_code})", value=_problem(answer).get("detail"))
        try:
            plain = answer.json()
        except ValueError:
            raise OfflineError("what answers is no gateway of packtrace", value=self._http.base_url.host) from None
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            problem = _problem(answer)
            detail = problem.get("detail") or problem.get("title") or answer.reason_phrase
            raise RefusedError(str(detail), status=answer.status_code, value=problem.get("value"))
        return plain


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """The members of a problem document; none where the answer is none."""
    try:
        plain = answer.json()
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) else {}
