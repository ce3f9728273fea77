"""The configuration: frozen, typed, unknown keys refused. Defaults < YAML file < environment (`FOGGATE_A__B`).

Secrets come from the environment only. This module validates; it never reads a model, a socket or a calibration.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import ConfigError

PREFIX = "FOGGATE_"
# Of `foggate ask --url`; no setting of the gateway.
CALLER_KEY = "FOGGATE_CALLER_KEY"
# Wherever they stand.
SECRETS = ("api_key",)

Tau = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    # After SIGTERM new work is still taken for this long, with `Connection: close`, while load balancers look away.
    drain_wait_s: Annotated[float, Field(ge=0)] = 2.0
    # Not ready when questions wait and no batch was finished for this long.
    ready_stall_s: Seconds = 15.0
    # Not alive when the present batch is older than this.
    live_stall_s: Seconds = 60.0


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


# Sections whose keys the user names himself.
_BY_NAME: dict[Any, type[BaseModel]] = {
    dict[str, DomainSettings]: DomainSettings,
    dict[str, PriceSettings]: PriceSettings,
    dict[str, EndpointSettings]: EndpointSettings,
}


def load_settings(path: Path | None = None) -> Settings:
    """Read the YAML file, if one is named, and the environment.

    Raises:
        ConfigError: one sentence a line: what is wrong and, for an unknown key, the closest valid one.
    """
    from_file = read_yaml(path) if path else {}
    for secret in _secrets_in(from_file):
        raise ConfigError(f"{secret} is a secret and is read from the environment only ({env_name(secret)})")
    _check_environment(os.environ)
    try:
        return Settings(**from_file)
    except ValidationError as error:
        raise ConfigError(sentences(error, Settings)) from None
    except ValueError as error:  # a nested environment value that is not JSON
        raise ConfigError(str(error)) from None


def _secrets_in(content: Any, path: str = "") -> list[str]:
    """Where a file holds what must not stand in a file."""
    if not isinstance(content, dict):
        return []
    found = [f"{path}{key}" for key in content if key in SECRETS]
    return found + [secret for key, value in content.items() for secret in _secrets_in(value, f"{path}{key}.")]


def env_name(path: str) -> str:
    """`cloud.api_key` → `FOGGATE_CLOUD__API_KEY`."""
    return PREFIX + path.replace(".", "__").upper()


def setting_paths(model: type[BaseModel] = Settings, prefix: str = "") -> list[str]:
    """Every setting's YAML path; a free-form part is shown as `<name>`."""
    found = []
    for name, info in model.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found += setting_paths(annotation, f"{prefix}{name}.")
        elif annotation in _BY_NAME:
            found += setting_paths(_BY_NAME[annotation], f"{prefix}{name}.<name>.")
        else:
            found.append(prefix + name)
    return found


def effective(settings: Settings) -> dict[str, Any]:
    """Plain values for people, secrets masked."""
    shown = settings.model_dump(mode="json")
    for place in (shown["cloud"], *shown["cloud"]["endpoints"].values()):
        if place["api_key"] is not None:
            place["api_key"] = "********"
        # A header may carry a token: names are shown, values are not.
        place["extra_headers"] = dict.fromkeys(place["extra_headers"], "********")
    return shown


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file is an empty mapping. Raises ConfigError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {path} cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"the configuration file {path} is not YAML ({' '.join(str(error).split())})") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"the configuration file {path} must hold a mapping of settings")
    return content


def _check_environment(environment: Mapping[str, str]) -> None:
    """Refuse a misspelt FOGGATE_ variable, but not those that Kubernetes makes for a service named foggate."""
    valid = [env_name(path) for path in setting_paths()]
    known = {CALLER_KEY, *valid, *(name.split("__")[0] for name in valid)}
    by_name = ("policy.domains.", "prices.", "cloud.endpoints.", "cloud.extra_headers", "cloud.extra_body")
    free = tuple(env_name(path) for path in by_name)
    for name, value in environment.items():
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or upper.startswith(free):
            continue
        if upper.startswith((PREFIX + "SERVICE_", PREFIX + "PORT_")) or value.startswith("tcp://"):
            continue
        close = difflib.get_close_matches(upper, valid, 1)
        raise ConfigError(f"unknown environment variable {name}" + (f"; did you mean {close[0]}?" if close else ""))


def sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong, one sentence a line; an unknown key comes with the closest valid one of that model."""
    return "\n".join(_sentence(dict(item), setting_paths(model)) for item in error.errors())


def _sentence(error: dict[str, Any], paths: list[str]) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{path}: {error['msg']}"
    # First among its siblings, then anywhere: `tau: 0.3` at the top was meant as policy.tau.
    parent, _, key = path.rpartition(".")
    siblings = [p for p in {".".join(full.split(".")[: path.count(".") + 1]) for full in paths} if p.rpartition(".")[0] == parent]
    close = (
        difflib.get_close_matches(path, siblings, 1)
        or [full for full in paths if full.endswith("." + key)]
        or difflib.get_close_matches(path, paths, 1)
    )
    return f"unknown setting '{path}'" + (f"; did you mean '{close[0]}'?" if close else "")
