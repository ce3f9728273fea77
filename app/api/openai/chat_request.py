"""The body of a chat completion as it is sent, and the text of its conversation.

Only what tells who is asked, and about what, is checked here. Every other field is read where it is honoured
(`app/api/openai/wishes.py`), or goes to the cloud as it came.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field

from app.core.question import is_unicode

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
# Not a set: a caller can send a type that is a list.
_TEXT_PARTS = ("text", "input_text", "output_text")
# Fields of a message that are more than its text.
_MORE = ("tool_calls", "function_call", "audio")

EXAMPLE: dict[str, Any] = {
    "model": "foggate",
    "messages": [
        {
            "role": "user",
            "content": ("Which gas do green plants take in for photosynthesis?\n\nA. Oxygen\nB. Carbon dioxide\nC. Nitrogen\nD. Helium"),
        }
    ],
}


class Message(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    role: str = Field(description="`system`, `developer` (the same), `user` or `assistant`; others are for the cloud.")
    content: Any = Field(None, description="A text, or a list of parts.")


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    include_usage: bool | None = Field(None, description="Whether the last chunk reports the usage.")


class ChatRequest(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra={"examples": [EXAMPLE]})

    model: str = Field(max_length=256, description="`foggate`, `foggate-<tau>`, `edge` or `cloud` (docs/openai.md).")
    # After the first message that is none the others are not validated: thousands of errors would take long to describe.
    messages: Annotated[list[Message], FailFast()] = Field(min_length=1, description="The conversation; its last message asks.")
    stream: bool | None = Field(None, description="Whether the reply comes in server-sent events.")
    stream_options: StreamOptions | None = Field(None, description="Options of a streamed reply.")

    @property
    def wants_usage(self) -> bool:
        """Whether a streamed reply is to end with its usage."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def fields(self) -> dict[str, Any]:
        """Every other field, by its name."""
        return self.model_extra or {}


def conversation(messages: Sequence[Message]) -> list[tuple[str, str]] | None:
    """Pairs of role and text; None where there is more in a message than text: a picture, a call of a tool, its result."""
    found = []
    for message in messages:
        more = message.model_extra or {}
        text = text_of(message.content)
        if message.role not in ROLES or text is None or any(more.get(name) for name in _MORE):
            return None
        found.append((ROLES[message.role], text))
    return found


def text_of(content: Any) -> str | None:
    """The text of a message's content; None where it is not text alone."""
    if isinstance(content, str):
        # A reply may repeat parts of it.
        return content if is_unicode(content) else None
    if not isinstance(content, list) or not content:
        return None
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") in _TEXT_PARTS else None for part in content]
    given = [text for text in texts if isinstance(text, str)]
    return text_of("\n".join(given)) if len(given) == len(texts) else None
