"""The composition root: what a gateway is made of, and which features it serves.

A feature is added here by hand: its service in `build`, its router in `ROUTERS`, its bulk or signed paths in `BULK` and
`SIGNED`, its background work in `build`.
"""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any

from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import SQLAlchemyError

from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.nodes import Nodes
from packtrace.errors import ChainError, ChainUnreachable, PacktraceError
from packtrace.scan import Place
from packtrace_gateway import problems, reference
from packtrace_gateway.access import routes as access_routes
from packtrace_gateway.access.guard import Guard, require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.access.service import AccessService
from packtrace_gateway.alerts import routes as alert_routes
from packtrace_gateway.alerts.duplicates import DuplicateService
from packtrace_gateway.alerts.service import AlertService
from packtrace_gateway.batches import routes as batch_routes
from packtrace_gateway.batches.held import HeldBatches
from packtrace_gateway.batches.service import BatchService
from packtrace_gateway.bodies import BodyLimit
from packtrace_gateway.capture import routes as capture_routes
from packtrace_gateway.capture.sealer import Sealer
from packtrace_gateway.capture.service import CaptureService
from packtrace_gateway.certificates import Files
from packtrace_gateway.db import Database
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange import correction_routes, unit_routes
from packtrace_gateway.exchange import people as people_routes
from packtrace_gateway.exchange import routes as exchange_routes
from packtrace_gateway.exchange.accepted import AcceptedData
from packtrace_gateway.exchange.client import PartnerClient
from packtrace_gateway.exchange.custody import CustodyService
from packtrace_gateway.exchange.directory import Directory
from packtrace_gateway.exchange.goods import GoodsService
from packtrace_gateway.exchange.locate import Locator
from packtrace_gateway.exchange.missing import MissingUnits
from packtrace_gateway.exchange.receiving import Receiving
from packtrace_gateway.exchange.sending import Sending
from packtrace_gateway.exchange.service import Exchange
from packtrace_gateway.exchange.signing import RequestVerifier
from packtrace_gateway.exchange.units import UnitService
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.joint import routes as joint_routes
from packtrace_gateway.joint.outcome import JointOutcomes
from packtrace_gateway.joint.service import JointService
from packtrace_gateway.keeping import routes as keeping_routes
from packtrace_gateway.keeping.belonging import claim
from packtrace_gateway.keeping.recovery import Recovery
from packtrace_gateway.keys import KeyRing, Purpose
from packtrace_gateway.labels import routes as label_routes
from packtrace_gateway.ledger.follower import Follower
from packtrace_gateway.metrics import routes as metrics_routes
from packtrace_gateway.metrics.requests import Measured
from packtrace_gateway.metrics.service import Metrics
from packtrace_gateway.metrics.watch import ChainWatch
from packtrace_gateway.outbox import routes as outbox_routes
from packtrace_gateway.outbox.context import GWEI, Context, Policy
from packtrace_gateway.outbox.service import KEYS, Outbox
from packtrace_gateway.outbox.worker import OutboxWorker
from packtrace_gateway.partners import routes as partner_routes
from packtrace_gateway.partners.service import PartnerService
from packtrace_gateway.phone import routes as phone_routes
from packtrace_gateway.phone.decoding import FrameDecoder
from packtrace_gateway.phone.page import PATH as PHONE_PATH
from packtrace_gateway.phone.page import PhonePage, to_the_page
from packtrace_gateway.products import routes as product_routes
from packtrace_gateway.products.service import ProductService
from packtrace_gateway.reports import routes as report_routes
from packtrace_gateway.reports.service import ReportService
from packtrace_gateway.rotation import KeyRotation
from packtrace_gateway.serials import routes as serial_routes
from packtrace_gateway.serials.service import SerialService
from packtrace_gateway.settings import Settings
from packtrace_gateway.status import routes as status_routes
from packtrace_gateway.status.service import StatusService
from packtrace_gateway.verify import routes as verify_routes
from packtrace_gateway.verify.service import LedgerReceipts, VerifyService
from packtrace_gateway.workers import Workers

log = logging.getLogger(__name__)

ROUTERS: tuple[APIRouter, ...] = (
    capture_routes.router,
    verify_routes.router,
    status_routes.router,
    joint_routes.router,
    batch_routes.router,
    serial_routes.router,
    label_routes.router,
    alert_routes.router,
    alert_routes.duplicates,
    report_routes.router,
    phone_routes.router,
    product_routes.router,
    partner_routes.router,
    people_routes.router,
    unit_routes.router,
    correction_routes.router,
    exchange_routes.router,
    outbox_routes.router,
    metrics_routes.router,
    keeping_routes.router,
    access_routes.router,
)
BULK: tuple[str, ...] = ("/capture", "/events")  # bodies up to `max_body`; all others `SMALL_BODY`
SIGNED: tuple[str, ...] = ("/exchange",)  # authenticated by a partner's signature, not by an API key

NODE_CHECK_EVERY = 15.0  # seconds
NODES_CHECK_EVERY = 2.0  # where there are several: a block is final once all have said so
# Python's own. A library below eth-account (py_ecc) raises it to 100,000 on import, and then 100 kB of `[[[[…` overflow
# the C stack in json.loads and kill the process.
RECURSION_LIMIT = 1000
# Seconds; Python's own is 5 ms. A verdict waits for the interpreter a dozen times, so long each time, while a capture
# of a million packs computes beside it.
SWITCH_INTERVAL = 0.001
AnyCaller = Annotated[Caller, Depends(require(*Role))]


def build(settings: Settings) -> Gateway:
    """A gateway that is ready to serve; raises the `PacktraceError` that says why it cannot be.

    A node that does not answer is no reason: capture works on without it. A node of another chain is.
    """
    database = Database(settings.database_url)
    database.check_schema()
    deployment = Deployment.load(settings.deployment)
    claim(database, settings.party, deployment)
    node = Nodes(settings.node, settings.node_timeout, deployment=deployment, finality=settings.finality)
    reader = ChainReader(node, deployment, settings.finality)
    keys = KeyRing.load(settings)
    store, outbox, workers = EventStore(), Outbox(database), Workers()
    rotation = KeyRotation(settings, keys)
    rotation.settle(database)
    outbox.register("PartyRegistry", "rotateKey", rotation)
    partners, products = PartnerService(database, reader), ProductService(database, outbox)
    goods = GoodsService(settings.gln, store, outbox)
    capture = CaptureService(settings, database, store, outbox, partners, products, goods)
    directory = Directory(node, deployment)
    client = PartnerClient(settings, keys, directory)
    missing = MissingUnits(settings, database, store, reader, goods, capture)
    exchange = Exchange(
        requests=RequestVerifier(directory, settings.party, settings.company),
        client=client,
        sending=Sending(settings, database, store, directory, client),
        receiving=Receiving(settings, database, keys, directory, reader, AcceptedData(store, goods)),
        custody=CustodyService(settings, database, store, outbox, reader, goods, capture, missing),
        missing=missing,
        locator=Locator(settings, database, store, keys, directory, client),
        units=UnitService(settings.party, database, store, outbox, reader),
    )
    verify = VerifyService(database, store, reader, exchange.locator, LedgerReceipts(database), Place(settings.party))
    relayers = [account.address for account in keys.accounts(Purpose.RELAYER)]
    watch = ChainWatch(database, node, settings.finality, relayers)
    workers.add("metrics", watch.run_once)
    status = StatusService(settings, database, store, outbox, capture, verify)
    gateway = Gateway(
        settings=settings,
        database=database,
        keys=keys,
        node=node,
        deployment=deployment,
        reader=reader,
        workers=workers,
        outbox=outbox,
        store=store,
        metrics=Metrics(database, node, outbox, workers, watch, version("packtrace")),
        access=AccessService(database),
        serials=SerialService(database, store.known_serials),
        partners=partners,
        products=products,
        capture=capture,
        exchange=exchange,
        batches=BatchService(settings, database, outbox, products),
        held=HeldBatches(settings, database, outbox),
        verify=verify,
        status=status,
        joint=JointService(settings, database, store, outbox, reader, keys, verify),
        alerts=AlertService(settings, database),
        duplicates=DuplicateService(database, store, node, deployment, keys),
        reports=ReportService(database, verify, status),
        decoder=FrameDecoder(),
    )
    _check_node_at_start(gateway)
    _add_workers(gateway)
    return gateway


def _add_workers(gateway: Gateway) -> None:
    workers, settings = gateway.workers, gateway.settings
    workers.add("node", lambda: _check_node(gateway))
    workers.add("key-use", gateway.access.record_use)
    sender = OutboxWorker(
        Context(
            database=gateway.database,
            outbox=gateway.outbox,
            node=gateway.node,
            deployment=gateway.deployment,
            signers=gateway.keys.signers(KEYS),
            relayers=gateway.keys.accounts(Purpose.RELAYER),
            policy=Policy(finality=settings.finality, max_fee=int(settings.max_fee * GWEI)),
        )
    )
    gateway.outbox.on_queued(workers.add("outbox", sender.run_once).wake)
    workers.at_the_end(sender.close)
    follower = Follower(gateway.database, gateway.node, gateway.deployment)
    outcomes = JointOutcomes(settings)
    outcomes.register(gateway.outbox)
    for listener in (gateway.alerts, outcomes):
        follower.register(listener)
    workers.add("follower", follower.run_once)
    sealer = Sealer(settings, gateway.database, gateway.store, gateway.outbox, gateway.node, gateway.deployment)
    workers.add("sealer", sealer.run_once)
    recovery = Recovery(settings, gateway.database, gateway.store, sealer, gateway.reader, gateway.outbox)
    workers.add("recovery", recovery.run_once)
    workers.add("hand-over", gateway.exchange.sending.run_once)
    workers.add("arrivals", gateway.exchange.receiving.run_once)
    workers.add("custody", gateway.exchange.custody.run_once)


def create_app(settings: Settings) -> FastAPI:
    """The gateway's web application. Its `Gateway` is ``app.state.gateway``; its workers run while it is served."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gateway = build(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        gateway.workers.start()
        try:
            yield
        finally:
            await run_in_threadpool(gateway.workers.stop)
            gateway.access.record_use()
            gateway.exchange.client.close()
            gateway.database.close()

    app = FastAPI(
        title=f"packtrace gateway: {settings.name}",
        version=version("packtrace"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    app.state.capturing = CapacityLimiter(capture_routes.AT_ONCE)
    problems.install(app)
    # The last one added is the outermost: an unknown caller is turned away before a byte of the body is read.
    app.add_middleware(BodyLimit, large=BULK, large_limit=settings.max_body)
    app.add_middleware(Guard, access=gateway.access, signed=SIGNED)
    app.add_middleware(problems.CatchAll)
    app.add_middleware(Measured, figures=gateway.metrics.requests)
    for router in ROUTERS:
        app.include_router(router)
    app.add_route(PHONE_PATH, to_the_page)
    app.mount(PHONE_PATH, PhonePage(Files(settings.folder / "tls").authority))
    _add_own_routes(app, gateway)
    return app


def _add_own_routes(app: FastAPI, gateway: Gateway) -> None:
    @app.get("/health", tags=["operation"])
    def health(response: Response) -> dict[str, Any]:
        """Whether the gateway works. Open to anybody, and therefore says nothing about the business."""
        workers = gateway.workers.health()
        database = _database_state(gateway.database)
        working = database == "ok" and all(worker.running for worker in workers)
        node = gateway.node
        healthy = working and not node.disagreement and not any(worker.failures for worker in workers)
        response.status_code = 200 if working else 503
        return {
            "status": "ok" if healthy else "degraded" if working else "failing",
            "version": app.version,
            "database": database,
            "nodes": [endpoint.state for endpoint in node.endpoints],
            "finality": "the nodes disagree" if node.disagreement else "ok",
            "workers": workers,
        }

    @app.get("/openapi.json", include_in_schema=False)
    def schema(_caller: AnyCaller) -> dict[str, Any]:
        return app.openapi()

    @app.get("/docs", include_in_schema=False)
    def docs(_caller: AnyCaller) -> HTMLResponse:
        return HTMLResponse(reference.page(app.openapi()), headers=reference.HEADERS)


def _database_state(database: Database) -> str:
    try:
        database.ping()
    except (PacktraceError, SQLAlchemyError) as error:
        log.error("database check failed: %s", error)
        return "failing"
    return "ok"


def _check_node_at_start(gateway: Gateway) -> None:
    try:
        gateway.node.check_all()
    except ChainUnreachable as error:
        log.warning("starting without the chain: %s", error)
    except ChainError as error:
        if error.field == "chainId":
            raise
        # A node that has not caught up yet has no contracts either.
        log.warning("starting without the chain: %s", error)


def _check_node(gateway: Gateway) -> float:
    gateway.node.check_all()
    return NODES_CHECK_EVERY if gateway.node.several else NODE_CHECK_EVERY
