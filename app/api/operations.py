"""The face for those who run the gateway: probes and metrics."""

from fastapi.responses import JSONResponse, Response

from app.access.keys import Permission
from app.api import responses
from app.api.face import Endpoint, Face
from app.core.edge import EdgeHealth
from app.gateway.state import GatewayState
from app.telemetry.metrics import CONTENT_TYPE

LIVE = Endpoint("/health/live", None, quiet=True, replies=responses.LIVE)
READY = Endpoint("/health/ready", None, quiet=True, replies=responses.READY)
METRICS = Endpoint("/metrics", Permission.ADMIN, opened_by="public_metrics", quiet=True, replies=responses.METRICS)


def operations_face(state: GatewayState) -> Face:
    """The routes for those who run the gateway."""
    face = Face("operations")

    @face.serves(LIVE, summary="Is the process alive?")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "dead"}, 503) if state.health() is EdgeHealth.DEAD else JSONResponse({"status": "alive"})

    @face.serves(READY, summary="Should traffic come here?")
    async def ready() -> JSONResponse:
        # Asked once: it may be another one a moment later.
        status = state.status
        headers = {"retry-after": "2"} if status != "ready" else None
        return JSONResponse({"status": status}, 200 if status == "ready" else 503, headers)

    @face.serves(METRICS, summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        await state.refresh_metrics()
        return Response(state.metrics.exposition(), media_type=CONTENT_TYPE)

    return face
