"""The face for those who run the gateway: the models behind it, probes, and metrics."""

from typing import Any

from fastapi.responses import JSONResponse, Response

from app.access.keys import Permission
from app.api import responses
from app.api.face import Endpoint, Face
from app.core.edge import EdgeHealth
from app.gateway.state import GatewayState
from app.telemetry.metrics import CONTENT_TYPE

MODELS = Endpoint("/v1/models", replies=responses.MODELS)
LIVE = Endpoint("/health/live", None, quiet=True, replies=responses.LIVE)
READY = Endpoint("/health/ready", None, quiet=True, replies=responses.READY)
METRICS = Endpoint("/metrics", Permission.ADMIN, opened_by="public_metrics", quiet=True, replies=responses.METRICS)


def operations_face(state: GatewayState) -> Face:
    """The routes for those who run the gateway."""
    face = Face("operations")

    @face.serves(MODELS, tag="answers", summary="The models behind this gateway")
    async def models() -> dict[str, Any]:
        known = {"edge": state.edge_model, "cloud": state.cloud_model}
        models: list[dict[str, Any]] = [
            {"id": name, "object": "model", "owned_by": "foggate", "role": role} for role, name in known.items() if name
        ]
        if state.edge_model and state.calibration:
            models[0] = {**models[0], "calibration": state.calibration}
        if state.edge_model and state.warning:
            models[0] = {**models[0], "warning": state.warning}
        if state.cloud_model and (endpoints := state.cloud_endpoints()):
            models[-1] = {**models[-1], "endpoints": endpoints}
        return {"object": "list", "data": models}

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
