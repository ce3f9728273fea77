"""What all sections of the settings share: how a setting is declared, the types of values, and what a blank text means."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from app.config.environment import is_blank
from app.config.header_values import clean_headers, clean_key
from app.config.masking import mask_model
from app.config.tree import RELOAD

Value = TypeVar("Value")

Tau = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# YAML reads `off` without quotation marks as false.
AutoOrOff = Annotated[Literal["auto", "off"], BeforeValidator(lambda value: "off" if value is False else value)]


def setting(default: Value, description: str, *, example: Any = None, reload: bool = False) -> Value:
    """Declare a setting, or a section of settings.

    This is the only place that describes it: `config/gateway.yaml`, the tables of docs/configuration.md and `foggate config show
    --help-all` are made from it (`app/config/describe.py`).

    Args:
        default: value where neither file nor environment sets one.
        description: one or two plain sentences with the meaning, the unit, and what 0 or null means.
        example: a value as it stands in a YAML file, for settings whose default does not show their form.
        reload: whether a reload (SIGHUP) puts a new value in force; for a section, whether that holds for everything in it.
    """
    return Field(
        default=default,
        description=description,
        examples=None if example is None else [example],
        json_schema_extra={RELOAD: True} if reload else None,
    )


class SettingsBase(BaseModel):
    """What the whole configuration and its sections have in common."""

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, content: Any) -> Any:
        """A mapping without blank texts, so that `adapter: ""` means the same as no adapter, and with no truth value for a number:
        pydantic reads `tau: on` as 1, and a text is refused.
        """
        if not isinstance(content, Mapping):
            return content
        given = {key: value for key, value in content.items() if not (isinstance(value, str) and is_blank(value))}
        for key, value in given.items():
            if isinstance(value, bool) and key in cls.model_fields and _types(cls.model_fields[key].annotation) & {int, float}:
                given[key] = str(value).lower()
        return given

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Secrets masked: a traceback or a debugger shows these."""
        return mask_model(self).items()


class Section(SettingsBase):
    """A section: frozen, unknown keys refused, values never quoted in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class EndpointSection(Section):
    """A section with the API key and the headers of an endpoint: both are checked when they are read, and a refusal never shows them."""

    @field_validator("api_key", mode="after", check_fields=False)
    @classmethod
    def _clean_key(cls, key: SecretStr | None) -> SecretStr | None:
        return key and SecretStr(checked(clean_key, key.get_secret_value()))

    @field_validator("extra_headers", mode="after", check_fields=False)
    @classmethod
    def _clean_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        return checked(clean_headers, headers)


def checked(check: Callable[[Value], Value], value: Value) -> Value:
    """The result of a check; its ValueError becomes an error whose message pydantic does not lengthen."""
    try:
        return check(value)
    except ValueError as error:
        raise refusal("header", str(error)) from None


def refusal(kind: str, sentence: str) -> PydanticCustomError:
    """An error with this sentence as its whole message; the sentence may hold braces."""
    return PydanticCustomError(kind, "{sentence}", {"sentence": sentence})


def _types(annotation: Any) -> set[Any]:
    """The types that an annotation names, at any depth."""
    parts = get_args(annotation)
    return set[Any]().union(*map(_types, parts)) if parts else {annotation}
