"""What the three wire forms have in common: strict objects, bounded in number, whose first fault is reported and no other."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from app.api.decision.typed import is_text

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


def checked_text(value: Any) -> Any:
    """A text, an object or an array. Raises PydanticCustomError."""
    if not is_text(value):
        raise fault("must be a string, an object or an array")
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
    return options


def checked_levels(levels: list[Any]) -> list[Any]:
    """Texts of levels. Raises PydanticCustomError."""
    checked_count(len(levels), MAX_LEVELS, "levels")
    for at, level in enumerate(levels):
        if not is_text(level):
            raise fault(f"level {at} must be a string, an object or an array")
    return levels


Text = Annotated[Any, AfterValidator(checked_text)]
NullableText = Annotated[Any, AfterValidator(checked_nullable)]
