"""The whole configuration: frozen, typed, unknown keys refused. `app/config/loading.py` reads it.

Each section has a file in `app/config/sections/`, where a field is declared together with its description.
"""

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.config.environment import EnvironmentSource
from app.config.sections.base import Positive, SettingsBase, setting
from app.config.sections.cloud import BreakerSettings, BudgetSettings, CloudSettings, EndpointSettings, PassThroughSettings
from app.config.sections.decisions import DecisionsSettings, McpSettings
from app.config.sections.edge import EdgeSettings
from app.config.sections.limits import LimitsSettings
from app.config.sections.policy import DomainSettings, PolicySettings
from app.config.sections.prices import PriceSettings
from app.config.sections.server import SecuritySettings, ServerSettings
from app.config.sections.telemetry import LogSettings, TracingSettings
from app.config.sections.ui import UiSettings
from app.config.tree import PREFIX

__all__ = [
    "BreakerSettings",
    "BudgetSettings",
    "CloudSettings",
    "DecisionsSettings",
    "DomainSettings",
    "EdgeSettings",
    "EndpointSettings",
    "LimitsSettings",
    "LogSettings",
    "McpSettings",
    "PassThroughSettings",
    "PolicySettings",
    "PriceSettings",
    "SecuritySettings",
    "ServerSettings",
    "Settings",
    "TracingSettings",
    "UiSettings",
]


class Settings(SettingsBase, BaseSettings):
    """All settings of a gateway. They stop at the builders (import contract 4): deeper code takes plain arguments."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, env_prefix=PREFIX, env_nested_delimiter="__", env_parse_none_str="null"
    )

    server: ServerSettings = setting(ServerSettings(), "Where the gateway listens, and when its health checks fail.")
    security: SecuritySettings = setting(SecuritySettings(), "Who may use the gateway, and under which host names.")
    edge: EdgeSettings = setting(EdgeSettings(), "The edge model, its hardware and its queue.")
    policy: PolicySettings = setting(PolicySettings(), "Which answers of the edge model are kept.", reload=True)
    cloud: CloudSettings = setting(CloudSettings(), "The cloud, which answers where the edge model is not sure.", reload=True)
    prices: dict[str, PriceSettings] = setting(
        {},
        "Prices of models, by the name with which a model answers, in one currency of your choice. `foggate eval report` and "
        "`cloud.budget.cost_per_day` compute costs from them.",
        example={"demo-cloud": {"input": 0.1, "output": 0.3, "per_hour": 0}},
        reload=True,
    )
    limits: LimitsSettings = setting(LimitsSettings(), "Bounds on what callers send.")
    decisions: DecisionsSettings = setting(DecisionsSettings(), "How decision clients are answered.")
    mcp: McpSettings = setting(McpSettings(), "The Model Context Protocol, for agents.")
    tracing: TracingSettings = setting(TracingSettings(), "Traces for OpenTelemetry.")
    log: LogSettings = setting(LogSettings(), "What is logged, and in which form.")
    ui: UiSettings = setting(UiSettings(), "The page for people.")
    deadline_ms: Positive = setting(
        10_000,
        "Milliseconds for a question: one deadline over queue, edge model, all cloud attempts and fallback. A request may shorten it.",
        reload=True,
    )
    batch_deadline_ms: Positive = setting(
        120_000,
        "Milliseconds for a whole `/v1/answers`: until then its questions wait for a place at the edge model. A request may shorten it "
        '(docs/configuration.md, "Admission").',
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # the hook's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content is given as init arguments."""
        return EnvironmentSource(settings_cls, file=init_settings()), init_settings
