"""The cloud: its endpoints, what is sent to them, and what they may cost."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from app.config.extra_body import FORMAT_FIELDS, fault_of_body
from app.config.sections.base import EndpointSection, Positive, Seconds, Section, Share, Tau, refusal, setting

_KEY = "API key of the endpoint, checked at start; blanks and line breaks around it are removed. null: no key is sent."


class EndpointSettings(EndpointSection):
    base_url: HttpUrl = Field(description="Address of the endpoint, in the forms of `cloud.base_url`.")
    model: str | None = setting(None, "Model name that is sent to this endpoint; null: `cloud.model`.")
    api_key: SecretStr | None = setting(None, _KEY)
    priority: Annotated[int, Field(ge=0)] = setting(1, "Endpoints with a lower priority are asked first; that of `cloud.base_url` is 0.")
    extra_headers: dict[str, str] = setting(
        {}, "Headers that are sent with every call to this endpoint. They win over those of `cloud.extra_headers` with the same name."
    )


class BreakerSettings(Section):
    window_s: Seconds = setting(10.0, "Seconds over which calls and failures are counted.")
    min_calls: Positive = setting(
        10,
        "Calls in the window before `failure_rate` applies. As many failures in a row open the breaker too, in whatever time they happen.",
    )
    failure_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = setting(
        0.5,
        "Share of failed calls in the window (connection, timeout, 5xx) that opens the breaker. When an attempt without an answer counts "
        "as a timeout: docs/reliability.md.",
    )
    open_s: Seconds = setting(10.0, "Seconds for which an open breaker lets no call through.")
    probes: Positive = setting(
        3, "Calls that try the endpoint after `open_s`: as many successes close the breaker, one failure opens it again."
    )


class BudgetSettings(Section):
    calls_per_minute: Positive | None = setting(None, "Calls in a minute; null: no limit.")
    calls_per_day: Positive | None = setting(None, "Calls in a day; null: no limit.")
    tokens_per_minute: Positive | None = setting(None, "Tokens in a minute, of prompts and completions; null: no limit.")
    tokens_per_day: Positive | None = setting(None, "Tokens in a day, of prompts and completions; null: no limit.")
    cost_per_day: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = setting(
        None,
        "Money in a day, in the currency of `prices`; null: no limit. A model without a price costs as much as the most expensive one.",
    )
    on_exhausted: Literal["degrade", "lower_tau"] = setting(
        "degrade",
        "What happens when the budget is spent. `degrade`: edge answers with the reason `budget_exhausted`; `lower_tau`: every threshold "
        "is lowered to at most `cloud.budget.tau` until there is budget again (which is logged; the metric `foggate_tau` shows it).",
    )
    tau: Tau = setting(0.0, "Highest threshold while the budget is spent, where `on_exhausted` is `lower_tau`.")

    @property
    def lowered_tau(self) -> float | None:
        """The highest threshold while the budget is spent; None leaves thresholds as they are."""
        return self.tau if self.on_exhausted == "lower_tau" else None


class PassThroughSettings(Section):
    enabled: bool = setting(
        True,
        "Whether chats that are no multiple-choice question go to the cloud as they came, for keys with the permission `pass_through`; "
        "when false, they are refused for everybody.",
    )
    without_keys: bool | None = setting(
        None,
        "Whether callers may do so where no keys are configured. null: only on a gateway that listens on loopback and for no other host "
        "names, so that none becomes an open proxy by accident.",
    )
    deadline_s: Seconds = setting(600.0, "Seconds until the whole reply to such a chat must be there, all attempts included.")
    idle_s: Seconds = setting(
        60.0, "Seconds until a streamed reply must begin, and between two pieces of it; a whole reply has no such bound."
    )
    max_in_flight: Positive = setting(
        32, "Such chats that may be at the cloud at the same time; one more gets 429. They count for `cloud.max_in_flight` too."
    )


class CloudSettings(EndpointSection):
    base_url: HttpUrl | None = setting(
        None,
        "OpenAI-compatible endpoint with `/v1`, with or without `/chat/completions` at its end; a query is kept. null: no cloud, every "
        'answer comes from the edge (docs/configuration.md, "The cloud\'s endpoint").',
        example="http://127.0.0.1:9100/v1",
    )
    model: str = setting("Qwen/Qwen3-30B-A3B-Instruct-2507", "Model name that is sent to the endpoint.")
    api_key: SecretStr | None = setting(None, _KEY)
    timeout_s: Seconds = setting(8.0, "Seconds that one attempt may take; the deadline may end it earlier.")
    max_attempts: Positive = setting(
        3, "Most calls for one question. Connection errors, connections that were cut, 429 and 5xx are tried again."
    )
    max_in_flight: Positive = setting(
        64, "Questions that may be at the cloud at the same time; one more gets the degraded edge answer at once."
    )
    retry_budget: Share = setting(
        0.2,
        "Retries of all questions together, as a share of the calls of the last ten seconds (three are always allowed); 0: never retry. "
        "A call to the next endpoint after a failure is a retry, and each retry is a call for `cloud.budget`.",
    )
    breaker: BreakerSettings = setting(
        BreakerSettings(), "Circuit breaker of each endpoint: an endpoint whose calls fail is not asked for a while."
    )
    cache_entries: Annotated[int, Field(ge=0)] = setting(
        0, "Cloud answers that are cached for identical questions (text and options); 0: none."
    )
    cache_ttl_s: Seconds = setting(300.0, "Seconds for which a cached cloud answer is used.")
    budget: BudgetSettings = setting(
        BudgetSettings(),
        "What the cloud may cost. Calls are attempts that were sent, retries included; tokens and money are what replies report, usable "
        'or not (docs/reliability.md, "What a call costs").',
    )
    endpoints: dict[str, EndpointSettings] = setting(
        {},
        "Further endpoints, under names of your choice: they are asked when those of a lower priority fail or their breaker is open. "
        "The name `default` belongs to `cloud.base_url`.",
        example={"backup": {"base_url": "https://backup.example.org/v1", "priority": 1}},
    )
    answer_format: Literal["auto", "text", "json_schema", "choice"] = setting(
        "text",
        "`text`: the answer is read from free text. `json_schema` (OpenAI's `response_format`) and `choice` (vLLM's "
        "`structured_outputs`): the model can write nothing but an offered letter. `auto`: each endpoint is asked once at start which of "
        'them it accepts (docs/configuration.md, "The form of an answer").',
    )
    answer_format_probe: bool = setting(True, "Whether `answer_format: auto` asks the endpoints; when false, `auto` means `text`.")
    max_tokens: Positive | None = setting(
        None,
        "Most tokens of a reply; null: 64, or 4096 where the model thinks. Whether it thinks is taken from `cloud.extra_body` "
        "(`reasoning_effort`, `enable_thinking` and similar fields), otherwise from its name; a model that thinks needs a longer "
        "`cloud.timeout_s` and `deadline_ms` as well.",
    )
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = setting(
        0,
        "Alternatives that the endpoint is asked for at each token of its reply; 0: none. With them an answer has "
        "`cloud.answer_probabilities` where the endpoint reports them.",
    )
    pass_through: PassThroughSettings = setting(
        PassThroughSettings(), 'Chats that are no multiple-choice question (docs/openai.md, "What goes to the cloud as it came").'
    )
    extra_headers: dict[str, str] = setting(
        {},
        "Headers that are sent with every call to every endpoint, those of `cloud.endpoints` included. An endpoint's own header of the "
        "same name wins, and a key wins over an `authorization`.",
        example={"x-team": "exams"},
    )
    extra_body: dict[str, Any] = setting(
        {},
        "Fields that are laid over the body of each request; a null removes a field.",
        example={"chat_template_kwargs": {"enable_thinking": False}, "temperature": None},
    )

    @field_validator("extra_body", mode="after")
    @classmethod
    def _check_body(cls, body: dict[str, Any]) -> dict[str, Any]:
        if (fault := fault_of_body(body)) is not None:
            raise refusal("extra_body", fault)
        return body

    @field_validator("endpoints", mode="after")
    @classmethod
    def _check_names(cls, endpoints: dict[str, EndpointSettings]) -> dict[str, EndpointSettings]:
        if "default" in endpoints:
            raise refusal("endpoints", "'default' is the name of cloud.base_url: give this endpoint another one")
        return endpoints

    @model_validator(mode="after")
    def _one_format(self) -> Self:
        if self.answer_format in {"json_schema", "choice"} and (names := sorted(FORMAT_FIELDS & self.extra_body.keys())):
            raise refusal("answer_format", f"answer_format and extra_body.{names[0]} both set the form of an answer")
        return self
