"""Everything that can be configured: frozen, typed, unknown keys refused. `app/configuration.py` reads it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "FOGGATE_"
Tau = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def host_name(given: str) -> str:
    """A host to listen on: an address or a name, without brackets and without a port. Raises ValueError."""
    name = given.strip()
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    if not name or name == "*":
        raise ValueError("name a host: an address, a name, :: for every address, or localhost")
    if "/" in name or any(character.isspace() or not character.isprintable() for character in name):
        raise ValueError(f"'{given}' is not a host: an address or a name stands there, without a scheme or a path")
    if name.count(":") == 1 or "]" in name:
        raise ValueError(f"'{given}' holds a port: set it as server.port (--port)")
    # Names of hosts are the same in upper and lower case.
    return name.lower()


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    host: Annotated[str, AfterValidator(host_name)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    # After SIGTERM new work is still taken for this long, with `Connection: close`, while load balancers look away.
    drain_wait_s: Annotated[float, Field(ge=0)] = 2.0
    # Not ready when questions wait and no batch was finished for this long.
    ready_stall_s: Seconds = 15.0
    # Not alive when the present batch is older than this.
    live_stall_s: Seconds = 60.0
    # Not ready after so many failed batches in a row, the last of them the gateway's own warm-up question.
    ready_failed_batches: Positive = 3
    # Not alive after so many.
    live_failed_batches: Positive = 10
    # While it is failing the gateway asks its warm-up question that often.
    failing_probe_s: Seconds = 2.0


class SecuritySettings(_Section):
    # What `foggate keys create` wrote; without it every caller may do everything.
    keys: Path | None = None
    # Listen beyond loopback although no keys are configured.
    insecure: bool = False
    # /metrics needs no key.
    public_metrics: bool = False
    # Host names of requests; null: loopback names where no keys are configured, else all.
    allowed_hosts: list[str] | None = None
    # Addresses or networks whose X-Forwarded-For is believed.
    trusted_proxies: list[str] = []


class EdgeSettings(_Section):
    model: str = "builtin"
    adapter: str | None = None
    prompt_family: Literal["auto", "qwen", "gemma", "llama"] = "auto"
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    # 0 = the cores this process may use. See docs/configuration.md, "Threads".
    threads: Annotated[int, Field(ge=0)] = 0
    wait_policy: Literal["brief", "passive", "active"] = "brief"
    max_batch_size: Positive = 16
    max_batch_tokens: Positive = 8192
    # Share of padding in a batch: questions of very different lengths do not share one.
    max_padding_share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.1
    max_queue_size: Positive = 128
    max_prompt_tokens: Positive = 2048
    share_prefix: bool = True
    cache_dir: Path | None = None


class DomainSettings(_Section):
    tau: Tau


class PolicySettings(_Section):
    # null: those of the calibration, else 0.5 and verbalized.
    tau: Tau | None = None
    signal: Literal["verbalized", "expected"] | None = None
    # What `foggate calibrate` wrote; belongs to one edge model.
    calibration: Path | None = None
    domains: dict[str, DomainSettings] = {}
    on_cloud_failure: Literal["edge", "error"] = "edge"


class EndpointSettings(_Section):
    base_url: HttpUrl
    # None takes that of the cloud section.
    model: str | None = None
    api_key: SecretStr | None = None
    # Lower is asked first; that of cloud.base_url is 0.
    priority: Annotated[int, Field(ge=0)] = 1
    extra_headers: dict[str, str] = {}


class BreakerSettings(_Section):
    window_s: Seconds = 10.0
    min_calls: Positive = 10
    failure_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5
    open_s: Seconds = 10.0
    probes: Positive = 3


class BudgetSettings(_Section):
    calls_per_minute: Positive | None = None
    calls_per_day: Positive | None = None
    tokens_per_minute: Positive | None = None
    tokens_per_day: Positive | None = None
    # In the currency of `prices`.
    cost_per_day: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    # degrade: edge answers; lower_tau: the cut is at most `tau` until there is budget again.
    on_exhausted: Literal["degrade", "lower_tau"] = "degrade"
    tau: Tau = 0.0

    @property
    def lowered_tau(self) -> float | None:
        """The cut at most while the budget is spent; None leaves the cut alone."""
        return self.tau if self.on_exhausted == "lower_tau" else None


class CloudSettings(_Section):
    base_url: HttpUrl | None = None
    model: str = "Qwen/Qwen3-30B-A3B-Instruct-2507"
    api_key: SecretStr | None = None
    timeout_s: Seconds = 8.0
    max_attempts: Positive = 3
    # Questions at the cloud; one more gets the degraded edge answer at once.
    max_in_flight: Positive = 64
    # Retries of all questions together, as a share of the calls of the last ten seconds.
    retry_budget: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.2
    breaker: BreakerSettings = BreakerSettings()
    # Answers of the cloud that are kept for identical questions; 0 keeps none.
    cache_entries: Annotated[int, Field(ge=0)] = 0
    cache_ttl_s: Seconds = 300.0
    budget: BudgetSettings = BudgetSettings()
    endpoints: dict[str, EndpointSettings] = {}
    extra_headers: dict[str, str] = {}
    extra_body: dict[str, Any] = {}


class PriceSettings(_Section):
    # Of one model, in one currency of the user's choice: a million prompt tokens, a million completion tokens, a machine hour.
    input: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class LimitsSettings(_Section):
    max_body_bytes: Positive = 1_048_576
    max_text_chars: Positive = 20_000
    max_questions: Positive = 256
    batch_concurrency: Positive = 32
    body_timeout_s: Seconds = 10.0
    header_timeout_s: Seconds = 10.0
    max_header_bytes: Positive = 32_768
    # Of one client address; behind a proxy that is the proxy's.
    max_connections_per_client: Positive = 512
    # Where calls and rates are counted: memory:// (each process for itself) or redis://host:6379/0 (all replicas together).
    store: Annotated[str, Field(pattern=r"^(memory://|rediss?://.+)$")] = "memory://"


class TracingSettings(_Section):
    # Where to: OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry.
    enabled: bool = False
    # Puts the text of questions on spans.
    question_text: bool = False


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """Everything a gateway can be told. Stops at the composition roots: deeper code takes plain arguments."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__")

    server: ServerSettings = ServerSettings()
    security: SecuritySettings = SecuritySettings()
    edge: EdgeSettings = EdgeSettings()
    policy: PolicySettings = PolicySettings()
    cloud: CloudSettings = CloudSettings()
    prices: dict[str, PriceSettings] = {}
    limits: LimitsSettings = LimitsSettings()
    tracing: TracingSettings = TracingSettings()
    log: LogSettings = LogSettings()
    deadline_ms: Positive = 10_000

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the hook's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content is given as init arguments."""
        return env_settings, init_settings
