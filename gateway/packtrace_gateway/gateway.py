"""What a running gateway consists of, as the routes see it. `app.build` puts it together."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request

from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.nodes import Nodes
from packtrace_gateway.access.service import AccessService
from packtrace_gateway.alerts.duplicates import DuplicateService
from packtrace_gateway.alerts.service import AlertService
from packtrace_gateway.batches.held import HeldBatches
from packtrace_gateway.batches.service import BatchService
from packtrace_gateway.capture.service import CaptureService
from packtrace_gateway.db import Database
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange.service import Exchange
from packtrace_gateway.joint.service import JointService
from packtrace_gateway.keys import KeyRing
from packtrace_gateway.metrics.service import Metrics
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.partners.service import PartnerService
from packtrace_gateway.phone.decoding import FrameDecoder
from packtrace_gateway.products.service import ProductService
from packtrace_gateway.reports.service import ReportService
from packtrace_gateway.serials.service import SerialService
from packtrace_gateway.settings import Settings
from packtrace_gateway.status.service import StatusService
from packtrace_gateway.verify.service import VerifyService
from packtrace_gateway.workers import Workers


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway: its parts, its features' services, its background work."""

    settings: Settings
    database: Database
    keys: KeyRing
    node: Nodes
    deployment: Deployment
    reader: ChainReader
    workers: Workers
    outbox: Outbox
    store: EventStore
    metrics: Metrics

    access: AccessService
    serials: SerialService
    partners: PartnerService
    products: ProductService
    capture: CaptureService
    exchange: Exchange
    batches: BatchService
    held: HeldBatches
    verify: VerifyService
    status: StatusService
    joint: JointService
    alerts: AlertService
    duplicates: DuplicateService
    reports: ReportService
    decoder: FrameDecoder


async def _of_request(request: Request) -> Gateway:  # async, so that it costs no thread
    gateway: Gateway = request.app.state.gateway
    return gateway


RowNumber = Annotated[int, Path(ge=1, lt=1 << 63)]
"""The type of a route's parameter that is the number of something stored."""
GatewayDependency = Annotated[Gateway, Depends(_of_request)]
"""The type of a route's parameter that takes the gateway."""
