"""Requests and how long they take, by route: never by what stands in the path, which may be a serial number."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Upper bounds of the histogram: 0.03 is a verdict's budget, 0.3 the EU hub's allowance."""


class RequestFigures:
    """The counters; one set for each gateway, so that several can live in one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.answered = Counter(
            "packtrace_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "packtrace_http_request_seconds",
            "Time from a request's first byte to its answer's last.",
            ("method", "route"),
            registry=registry,
            buckets=SECONDS,
        )


class Measured:
    """ASGI middleware: counts and times every request."""

    def __init__(self, app: ASGIApp, *, figures: RequestFigures) -> None:
        self.app = app
        self.figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 0  # no answer: the connection was cut

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self.app(scope, receive, watched)
        finally:
            method = scope["method"] if scope["method"] in METHODS else OTHER
            route = getattr(scope.get("route"), "path", OTHER)  # not found, or turned away before it was looked for
            self.figures.answered.labels(method, route, status).inc()
            self.figures.seconds.labels(method, route).observe(time.perf_counter() - began)
