"""The figures over HTTP, for Prometheus."""

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Role
from packtrace_gateway.gateway import GatewayDependency

router = APIRouter(tags=["operation"], dependencies=[Depends(require(Role.METRICS, Role.ADMIN, Role.AUDITOR))])


@router.get("/metrics", response_class=Response)
def metrics(gateway: GatewayDependency) -> Response:
    """Figures for a monitoring system, in Prometheus' text format; what they mean is in docs/operations.md."""
    return Response(gateway.metrics.text(), media_type=CONTENT_TYPE_LATEST)
