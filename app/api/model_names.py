"""The names of models that clients send, and what each of them asks of the gateway.

`foggate` routes as configured, `foggate-0.7` with that threshold, `edge` and `cloud` force a side. OpenAI's clients may send the names of
the two models themselves too, which mean the same as `edge` and `cloud`.
"""

import re
from dataclasses import dataclass

from app.core.errors import UnknownModel
from app.core.outcome import RouteRequest
from app.gateway.state import GatewayState

ROUTER, EDGE, CLOUD = "foggate", "edge", "cloud"
_SIDES = {EDGE: RouteRequest.EDGE, CLOUD: RouteRequest.CLOUD}
_WITH_TAU = re.compile(rf"{ROUTER}-(0|1|0?\.[0-9]{{1,17}}|0\.|1\.0{{0,17}})")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a name asks for.

    Attributes:
        name: the name as it was sent.
        route: the side that is to answer.
        tau: the threshold; None leaves the choice to the policy.
    """

    name: str
    route: RouteRequest = RouteRequest.AUTO
    tau: float | None = None

    @property
    def is_a_choice(self) -> bool:
        """Whether it takes more than the permission to ask."""
        return self.route is not RouteRequest.AUTO or self.tau is not None


def general(name: str) -> Chosen | None:
    """What a name asks for that means the same whatever models there are; None for any other name."""
    if name == ROUTER:
        return Chosen(name)
    if (found := _WITH_TAU.fullmatch(name)) is not None:
        return Chosen(name, tau=float(found[1]))
    return Chosen(name, _SIDES[name]) if name in _SIDES else None


def chosen_or_configured(name: str) -> Chosen:
    """What a name asks for; any other name is routed as configured: clients send the name of whatever they were configured with."""
    return general(name) or Chosen(name)


def chosen_by(name: str, state: GatewayState) -> Chosen:
    """What a name asks for, of the models that are here. Raises UnknownModel."""
    chosen = general(name)
    if chosen is None and name == state.edge_model:
        chosen = Chosen(name, RouteRequest.EDGE)
    if chosen is None and name == state.cloud_model:
        chosen = Chosen(name, RouteRequest.CLOUD)
    if chosen is None or (chosen.route is RouteRequest.CLOUD and state.cloud_model is None):
        known = ", ".join((ROUTER, f"{ROUTER}-<tau> (as in {ROUTER}-0.7)", EDGE, *((CLOUD,) if state.cloud_model else ())))
        raise UnknownModel(f"there is no such model here; the models are {known}", param="model")
    return chosen
