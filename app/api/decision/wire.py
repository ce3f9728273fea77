"""What the three wire forms have in common: strict objects, bounded in number, whose first fault is reported and no other."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from app.api.decision.typed import is_text, text_of
from app.core.question import is_unicode

# As many as OpenAI takes. The limit of the gateway (`limits.max_questions`) applies too.
MAX_QUESTIONS = 400
MAX_CHOICES, MAX_LEVELS = 255, 10
LEAST = 2
# What the field `model` means.
MODEL = "`edge`, `cloud`, `foggate-<tau>`; any other name is routed as configured."


class Strict(BaseModel):
    """An object without unknown fields: inside a question, a misspelt field would ask something else."""

    model_config = ConfigDict(extra="forbid", strict=True)


def fault(message: str) -> PydanticCustomError:
    """An error with this message, at the place of the value that is being validated."""
    return PydanticCustomError("value_error", "{message}", {"message": message})


def fault_of_field(name: str, message: str) -> ValidationError:
    """An error with this message at a field of the object that is being validated, before its fields are."""
    return ValidationError.from_exception_data("request", [InitErrorDetails(type=fault(message), loc=(name,), input=None)])


def checked_text(value: Any) -> Any:
    """A text, an object or an array. Raises PydanticCustomError."""
    if not is_text(value):
        raise fault("must be a string, an object or an array")
    try:
        text_of(value)
    except ValueError:
        # It would be read as another one.
        raise fault("holds a number that is not finite or has more than 100 digits") from None
    return value


def checked_nullable(value: Any) -> Any:
    """As `checked_text`, or null. Raises PydanticCustomError."""
    return value if value is None else checked_text(value)


def checked_count(count: int, most: int, what: str) -> None:
    """Raise PydanticCustomError unless there are at least two and at most so many."""
    if not LEAST <= count <= most:
        raise fault(f"must hold {LEAST} to {most} {what}, got {count}")


def checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """Named options with descriptions that may be null. Raises PydanticCustomError."""
    checked_count(len(options), MAX_CHOICES, "options")
    for name, description in options.items():
        if description is not None and not is_text(description):
            raise fault(f"the description of option '{name[:64]}' must be a string, an object, an array or null")
        checked_nullable(description)
    return options


def checked_distinct(names: Sequence[Any], what: str) -> None:
    """Raise PydanticCustomError where two options have one name: the answer could not say which of them it is."""
    seen: set[tuple[type, Any]] = set()
    for name in names:
        if (one := (type(name), name)) in seen:
            raise fault(f"two {what} have the name '{str(name)[:64]}'")
        seen.add(one)


def checked_levels(levels: list[Any]) -> list[Any]:
    """Texts of levels. Raises PydanticCustomError."""
    checked_count(len(levels), MAX_LEVELS, "levels")
    for at, level in enumerate(levels):
        if not is_text(level):
            raise fault(f"level {at} must be a string, an object or an array")
        checked_text(level)
    return levels


def checked_name(name: str) -> str:
    """A name that the reply can repeat. Raises PydanticCustomError."""
    if not is_unicode(name):
        raise fault("is not valid Unicode")
    return name


Name = Annotated[str, AfterValidator(checked_name)]
Id = Annotated[str, Field(min_length=1), AfterValidator(checked_name)]
Text = Annotated[Any, AfterValidator(checked_text)]
NullableText = Annotated[Any, AfterValidator(checked_nullable)]
