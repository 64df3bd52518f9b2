"""A gateway as its users' programs see it: HTTP with an API key."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from packtrace.errors import PacktraceError

TIMEOUT = 120.0
PATIENCE = 90.0  # seconds until something that should happen is given up


class Refused(PacktraceError):
    """The gateway answered with a problem document, `problem`."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("title", "refused"))
        self.problem = problem


class Client:
    """Calls to one gateway. Raises Refused with the gateway's own words."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, headers={"Authorization": f"Bearer {api_key}"})

    def get(self, path: str, **parameters: Any) -> Any:
        return self._answer(self._http.get(path, params=parameters))

    def post(self, path: str, body: Any = None, **parameters: Any) -> Any:
        return self._answer(self._http.post(path, json=body, params=parameters))

    def put(self, path: str, body: Any) -> Any:
        return self._answer(self._http.put(path, json=body))

    def healthy(self) -> bool:
        try:
            return self._http.get("/health", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False

    def wait(self, path: str, done: Callable[[Any], bool], *, patience: float = PATIENCE, **parameters: Any) -> Any:
        """Ask until `done` says so; the last answer. Raises PacktraceError when it takes too long."""
        deadline = time.monotonic() + patience
        while True:
            answer = self.get(path, **parameters)
            if done(answer):
                return answer
            if time.monotonic() > deadline:
                raise PacktraceError(f"{self.url}{path} did not come to what was expected", value=answer)
            time.sleep(0.15)

    def _answer(self, response: httpx.Response) -> Any:
        if response.is_error:
            raise Refused(response.json())
        return response.json() if response.content else None
