"""Everything that can be configured: frozen, typed, unknown keys refused. `app/config/loading.py` reads it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.config.environment import PREFIX, EnvironmentSource, is_blank
from app.config.extra_body import FORMAT_FIELDS, fault_of_body
from app.config.header_values import clean_headers, clean_key
from app.config.host_names import host_name
from app.config.masking import mask_model
from app.config.networks import checked_network
from app.config.origins import checked_origin

Given = TypeVar("Given")
# Sections whose keys the user names.
_NAMED_BY_USERS = (("policy", "domains"), ("prices",), ("cloud", "endpoints"), ("cloud", "extra_headers"))

Tau = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Origin = Annotated[str, AfterValidator(checked_origin)]
Network = Annotated[str, AfterValidator(checked_network)]


def _without_blank(content: Any) -> Any:
    """A mapping without texts that say nothing, so that `adapter: ""` means the same as no adapter."""
    if not isinstance(content, Mapping):
        return content
    return {key: value for key, value in content.items() if not (isinstance(value, str) and is_blank(value))}


class _Given(BaseModel):
    """What the whole and its sections have in common."""

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, content: Any) -> Any:
        return _without_blank(content)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Secrets masked: a traceback or a debugger shows these."""
        return mask_model(self).items()


class _Section(_Given):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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
    # Web pages on other hosts whose scripts may read replies: https://example.org; "*" for all, which needs keys.
    cors_origins: list[Origin] = []


class SecuritySettings(_Section):
    # What `foggate keys create` wrote; without it every caller may do everything.
    keys: Path | None = None
    # Listen beyond loopback although no keys are configured.
    insecure: bool = False
    # /metrics needs no key.
    public_metrics: bool = False
    # /docs and /openapi.json need no key: a browser has none when it opens a page.
    public_docs: bool = True
    # Host names of requests; null: loopback names where no keys are configured, else all.
    allowed_hosts: list[str] | None = None
    # Addresses or networks whose X-Forwarded-For is believed.
    trusted_proxies: list[Network] = []


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


class _Addressed(_Section):
    """What is sent to one address: its key and its headers are checked when they are read, and not shown when they are wrong."""

    @field_validator("api_key", mode="after", check_fields=False)
    @classmethod
    def _clean_key(cls, key: SecretStr | None) -> SecretStr | None:
        return key and SecretStr(_sentence(clean_key, key.get_secret_value()))

    @field_validator("extra_headers", mode="after", check_fields=False)
    @classmethod
    def _clean_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        return _sentence(clean_headers, headers)


def _sentence(check: Callable[[Given], Given], given: Given) -> Given:
    """What a check makes of a value; its ValueError as a sentence that pydantic does not lengthen."""
    try:
        return check(given)
    except ValueError as error:
        raise PydanticCustomError("header", "{sentence}", {"sentence": str(error)}) from None


class EndpointSettings(_Addressed):
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


class CloudSettings(_Addressed):
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
    # text: read with care; json_schema, choice: the model can write nothing but an offered letter; auto: what the endpoint takes.
    answer_format: Literal["auto", "text", "json_schema", "choice"] = "text"
    # `auto` asks each endpoint once at start; false leaves it at text.
    answer_format_probe: bool = True
    # Of a reply; null: 64, or 4096 where the model thinks.
    max_tokens: Positive | None = None
    # Alternatives to ask for at each token of a reply, for `cloud.answer_probabilities`; 0 asks for none.
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    # To every endpoint; an endpoint's own header of the same name wins.
    extra_headers: dict[str, str] = {}
    # Laid over the request body; a null takes the field out.
    extra_body: dict[str, Any] = {}

    @field_validator("extra_body", mode="after")
    @classmethod
    def _check_body(cls, body: dict[str, Any]) -> dict[str, Any]:
        if (fault := fault_of_body(body)) is not None:
            raise PydanticCustomError("extra_body", "{sentence}", {"sentence": fault})
        return body

    @field_validator("endpoints", mode="after")
    @classmethod
    def _check_names(cls, endpoints: dict[str, EndpointSettings]) -> dict[str, EndpointSettings]:
        if "default" in endpoints:
            raise PydanticCustomError("endpoints", "'default' is the name of cloud.base_url: give this endpoint another one")
        return endpoints

    @model_validator(mode="after")
    def _one_format(self) -> Self:
        if self.answer_format in {"json_schema", "choice"} and (names := sorted(FORMAT_FIELDS & self.extra_body.keys())):
            raise PydanticCustomError(
                "answer_format", "{sentence}", {"sentence": f"answer_format and extra_body.{names[0]} both say what an answer looks like"}
            )
        return self


class PriceSettings(_Section):
    # Of one model, in one currency of the user's choice: a million prompt tokens, a million completion tokens, a machine hour.
    input: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


def _checked_store(store: str) -> str:
    """Raises PydanticCustomError, without the value: it may hold a password."""
    if store != "memory://" and not (store.startswith(("redis://", "rediss://")) and store.partition("://")[2]):
        raise PydanticCustomError("store", "write memory://, redis://host:6379/0 or rediss://host:6379/0")
    return store


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
    store: Annotated[str, AfterValidator(_checked_store)] = "memory://"


class TracingSettings(_Section):
    # Where to: OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry.
    enabled: bool = False
    # Puts the text of questions on spans.
    question_text: bool = False


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    # auto: text where standard error is a terminal, else JSON.
    format: Literal["auto", "json", "text"] = "auto"


class Settings(_Given, BaseSettings):
    """Everything a gateway can be told. Stops at the composition roots: deeper code takes plain arguments."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, env_prefix=PREFIX, env_nested_delimiter="__", env_parse_none_str="null"
    )

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
    # Of a whole /v1/answers: until then its questions wait for a place at the edge.
    batch_deadline_ms: Positive = 120_000

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
        return EnvironmentSource(settings_cls, named=_NAMED_BY_USERS, beneath=init_settings()), init_settings
