"""Asking a partner's gateway over HTTP: the request signed, the answer bounded in size and time."""

import time
from typing import Any

import httpx
import orjson

from packtrace.errors import shorten
from packtrace_gateway.exchange import signing
from packtrace_gateway.exchange.directory import Directory
from packtrace_gateway.exchange.errors import PartnerError, PartnerUnreachable
from packtrace_gateway.keys import KeyRing, Purpose
from packtrace_gateway.settings import Settings

CONNECT_SECONDS = 5.0
# One piece of a package on a slow line: 1 MiB at 280 kbit/s.
ANSWER_SECONDS = 30.0
# The longest answer is a locator's: the pedigree of one pack, a few kilobytes.
MAX_ANSWER = 1 << 20


class PartnerClient:
    """Requests from this gateway's party to others."""

    def __init__(self, settings: Settings, keys: KeyRing, directory: Directory) -> None:
        self._party = settings.party
        self._keys = keys
        self._directory = directory
        self._http = httpx.Client(follow_redirects=False)

    def request(
        self, party: int, method: str, target: str, body: bytes = b"", *, seconds: float = ANSWER_SECONDS
    ) -> dict[str, Any]:
        """The partner's answer. `target` is path and query from /exchange on; `seconds` bound all of it.

        Raises PartnerUnreachable when there is no answer in time, PartnerError with the partner's own words when it
        refuses, ChainError when its endpoint cannot be looked up.
        """
        deadline = time.monotonic() + seconds
        url = self._directory.endpoint(party) + target
        try:
            try:
                status, data = self._exchange(party, method, url, target, body, deadline)
            except httpx.RemoteProtocolError:  # the partner closed an idle connection at that moment
                status, data = self._exchange(party, method, url, target, body, deadline)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PartnerUnreachable(
                f"the gateway of party {party} did not answer ({type(error).__name__}); it is tried again",
                field="endpoint",
            ) from error
        return _read(party, status, data)

    def _exchange(
        self, party: int, method: str, url: str, target: str, body: bytes, deadline: float
    ) -> tuple[int, bytes]:
        """One signed request; status and body of the answer."""
        headers = signing.sign(
            self._keys.account(Purpose.OPERATE),
            network=self._directory.network,
            method=method,
            target=target,
            body=body,
            sender=self._party,
            receiver=party,
        )
        headers |= {"Content-Type": "application/octet-stream", "Accept-Encoding": "identity"}
        left = max(deadline - time.monotonic(), 0.0)
        timeout = httpx.Timeout(left, connect=min(CONNECT_SECONDS, left))
        with self._http.stream(method, url, content=body, headers=headers, timeout=timeout) as response:
            data = b""
            for chunk in response.iter_raw():
                data += chunk
                if len(data) > MAX_ANSWER:
                    raise PartnerError(f"party {party} answers more than {MAX_ANSWER} bytes", field="endpoint")
                if time.monotonic() > deadline:
                    raise PartnerUnreachable(f"party {party} answers too slowly", field="endpoint")
        return response.status_code, data

    def close(self) -> None:
        self._http.close()


def _read(party: int, status: int, data: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise PartnerError(f"what answers for party {party} is no gateway (status {status}, no JSON)", field="endpoint")
    if status >= 300:
        detail = answer.get("detail", answer.get("title", ""))
        raise PartnerError(f"party {party} refuses: {shorten(detail, 300)}", field="endpoint", rule=f"status {status}")
    return answer
