"""The face for the models behind this gateway: `/v1/models`, in the form of OpenAI's list, and `/v1/models/{model}`.

The list begins with the two models themselves and what is known of them; the names that a request may choose follow.
"""

import time
from typing import Any

from app.api import responses
from app.api.error_form import openai_error
from app.api.face import Endpoint, Face
from app.api.model_names import CLOUD, EDGE, ROUTER, chosen_by
from app.core.outcome import RouteRequest
from app.gateway.state import GatewayState

MODELS = Endpoint("/v1/models", replies=responses.MODELS, error_form=openai_error)
MODEL = Endpoint("/v1/models/{model:path}", replies=responses.MODEL, error_form=openai_error)


def models_face(state: GatewayState) -> Face:
    """The routes that tell of models."""
    face = Face("answers")
    # When the gateway began: nothing else is known of a model's age.
    created = int(time.time())

    @face.serves(MODELS, summary="The models behind this gateway")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": _entries(state, created)}

    @face.serves(MODEL, summary="One model")
    async def one_model(model: str) -> dict[str, Any]:
        chosen = chosen_by(model, state)
        known = {entry["id"]: entry for entry in _entries(state, created)}
        return known[model] if model in known else {**known[ROUTER], "id": model, "tau": chosen.tau}

    return face


def _entries(state: GatewayState, created: int) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = [
        _entry(name, role, created)
        for role, name in ((RouteRequest.EDGE.value, state.edge_model), (RouteRequest.CLOUD.value, state.cloud_model))
        if name
    ]
    if state.edge_model and state.calibration:
        models[0] = {**models[0], "calibration": state.calibration}
    if state.edge_model and state.warning:
        models[0] = {**models[0], "warning": state.warning}
    if state.cloud_model and (endpoints := state.cloud_endpoints()):
        models[-1] = {**models[-1], "endpoints": endpoints}
    names = {ROUTER: "router", EDGE: "edge", **({CLOUD: "cloud"} if state.cloud_model else {})}
    return models + [_entry(name, role, created) for name, role in names.items()]


def _entry(name: str, role: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "foggate", "role": role}
