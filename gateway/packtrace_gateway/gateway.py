"""What a running gateway consists of, as the routes see it. `app.build` puts it together."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Node
from packtrace_gateway.access.service import AccessService
from packtrace_gateway.db import Database
from packtrace_gateway.keys import KeyRing
from packtrace_gateway.serials.service import SerialService
from packtrace_gateway.settings import Settings
from packtrace_gateway.workers import Workers


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway: its parts, its features' services, its background work."""

    settings: Settings
    database: Database
    keys: KeyRing
    node: Node
    deployment: Deployment
    workers: Workers

    access: AccessService
    serials: SerialService


def _of_request(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


GatewayDependency = Annotated[Gateway, Depends(_of_request)]
"""The type of a route's parameter that takes the gateway."""
