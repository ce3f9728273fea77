"""Which part of a chat completion is the model's answer, if any is, and which letter that part names.

A wrong letter is worse than none: a reply that was cut, filtered, refused, or that calls a tool is read only where there is
no doubt, and reasoning is never taken for the answer.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.cloud.parse import parse_letter
from app.cloud.thoughts import without_thoughts
from app.core.errors import CloudUnparsable
from app.core.question import Question

# What endpoints say when the model came to its end by itself.
_ENDED = frozenset(
    {"stop", "end_turn", "stop_sequence", "eos", "eos_token", "completed", "complete", "end", "finished", "done", "finish_reason_stop"}
)
# When the end was somebody else's doing, what was said until then is no answer.
_BROKEN_WORDS = (
    "content_filter content_filtered tool_calls tool_call tool_use function_call error safety recitation blocklist prohibited_content spii "
    "malformed_function_call refusal cancelled canceled abort aborted insufficient_system_resource network_error sensitive other language "
    "pause_turn"
)
_BROKEN = frozenset(_BROKEN_WORDS.split())
_LENGTH = frozenset({"length", "max_tokens", "model_length", "max_length"})
_TEXT_PARTS = frozenset({"text", "output_text"})
_THOUGHT_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking", "thought", "reasoning_text", "summary_text"})
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "thoughts")


def read_letter(payload: Any, question: Question) -> str:
    """The offered letter that a chat completion names.

    Args:
        payload: the decoded JSON of a 200, whatever it is.
        question: what was asked.

    Raises:
        CloudUnparsable: the reply is no chat completion, was cut or refused, or names no single offered option.
    """
    answer, cut = answer_of(payload)
    return parse_letter(answer, question, cut=cut)


def answer_of(payload: Any) -> tuple[str, bool]:
    """The part of a chat completion that is the model's answer, and whether it was cut before the model had come to its end.

    Raises:
        CloudUnparsable: the reply is no chat completion, was broken off or refused, or holds no answer.
    """
    choice = _choice(payload)
    message = choice["message"]
    cut = _is_cut(choice)
    if message.get("refusal"):
        raise CloudUnparsable("the cloud's model refused to answer")
    if message.get("tool_calls") or message.get("function_call"):
        raise CloudUnparsable("the cloud's model called a tool instead of answering")
    text = _text(message.get("content"))
    if not text.strip():
        raise CloudUnparsable("the cloud's reply has no text")
    if any(isinstance(thought := message.get(name), str) and thought.strip() == text.strip() for name in _REASONING_FIELDS):
        raise CloudUnparsable("the cloud's reply repeats the model's reasoning as its text")
    answer = without_thoughts(text)
    if answer is None:
        raise CloudUnparsable("the cloud's model did not come to the end of its thoughts")
    if not answer:
        raise CloudUnparsable("the cloud's reply has no answer behind its thoughts")
    return answer, cut


def text_of(payload: Any) -> str:
    """The text of a completion's first choice as the endpoint wrote it, parts joined; empty where it holds none. Raises nothing."""
    try:
        content = _choice(payload)["message"].get("content")
        return "".join(_texts(content)) if isinstance(content, list) else content if isinstance(content, str) else ""
    except CloudUnparsable:
        return ""


def text_chars(payload: Any, question: Question) -> int:
    """Characters of the texts that `read_letter` would look at: how much work it is. Raises nothing."""
    options = sum(len(option) for option in question.options)
    try:
        return options + len(_text(_choice(payload)["message"].get("content")))
    except CloudUnparsable:
        return options


def _choice(payload: Any) -> Mapping[str, Any]:
    """The first choice, in which there is a message."""
    choices = payload.get("choices") if isinstance(payload, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise CloudUnparsable("the cloud's reply is not a chat completion")
    return choice


def _is_cut(choice: Mapping[str, Any]) -> bool:
    """Whether the text ends where the model would have gone on; an unknown reason for the end counts as such."""
    # A router repeats the reason of the endpoint behind it in words of that one.
    reason, native = choice.get("finish_reason"), choice.get("native_finish_reason")
    words = [given.lower() for given in (reason, native) if isinstance(given, str)]
    if choice.get("error") or not _BROKEN.isdisjoint(words):
        raise CloudUnparsable("the cloud's reply was broken off before its end")
    ended = reason is None or (isinstance(reason, str) and reason.lower() in _ENDED | {""})
    return not ended or not _LENGTH.isdisjoint(words)


def _text(content: Any) -> str:
    """The text of a message's content: of a text, or of a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise CloudUnparsable("the cloud's reply has no text")
    joined: list[str] = []
    last = ""
    for part in _texts(content):
        # A part may be a paragraph, or a piece of a sentence that was streamed.
        paragraph = last and not last[-1].isspace() and not part[:1].isspace() and not part[:1].islower()
        joined.append("\n\n" + part if paragraph else part)
        last = part or last
    return "".join(joined)


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, str):
            yield part
        elif isinstance(kind, str) and kind in _THOUGHT_PARTS:
            continue
        elif isinstance(kind, str) and kind in _TEXT_PARTS and isinstance(part.get("text"), str):
            yield part["text"]
        else:
            raise CloudUnparsable("the cloud's reply has a part that is no text")
