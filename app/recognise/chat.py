"""A conversation → the multiple-choice question that its last message asks, or None."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.recognise import other_tasks
from app.recognise.forms import OPEN, Asked, form_of_reply
from app.recognise.instructions import CUE, instructs, persona, sentences, speaks_of_choice
from app.recognise.message import MAX_CHAT_CHARS, MAX_INSTRUCTIONS, Found, read
from app.recognise.recognised import Recognised
from app.recognise.refusal import Refusal

_SYSTEM = {"system", "developer"}
# A conversation with more examples than this is none that an evaluation sends, and costs time.
_MOST_TURNS = 200
# Characters of an earlier message, or of a system prompt, that are looked at for another task.
_MOST_READ = 4_000
# Our own answer to an earlier question of the same conversation.
_OWN = re.compile(r"\s*Confidence: [0-9.]{1,6}\s+Final answer: \w{1,3}\s*")
_NEUTRAL = re.compile(
    r"\b(?:helpful|assistants?|concise|brief|short|honest|harmless|accurate|polite|friendly|expert|knowledge cutoff|current date|today'?s date|date|"
    r"(?:answer|respond|reply|write|speak) in (?:english|russian|kazakh|the user'?s language|the same language)|помощник|ассистент\w*|кратк\w+|вежлив\w*|"
    r"отвечай на \w+ язык\w*|по-русски|көмекші|қысқа|қазақ тілінде|қазақша|орысша)\b",
    re.IGNORECASE,
)

# `You review exam questions.` says what else is to be done with a question.
_ROLE_TASK = re.compile(
    r"\W{0,4}you (?:only |always |just )?(?!are\b|answer|respond|reply|solve|choose|select|pick|must\b|should\b|will\b|have\b|can\b|do\b|don['’]t\b|may\b|get\b|receive|take\b|know\b|speak|think|work\b|give\b|return|output|use\b|see\b|need\b|help\b|help(?:s|ing)?\b)[a-z]{3,}\b",
    re.IGNORECASE,
)
# The assistant waits for what it is to work on.
_WAITS = re.compile(
    r"(?:\b(?:send|paste|share|provide|give|show|post|type|enter|пришли\w*|отправь\w*|вставь\w*|жібер\w*)\b[^.?!]{0,60}|\b(?:go ahead|ready|sure|of course|okay|ok|got it|understood|готов\w*|конечно|понял\w*|дайын\w*|жарайды|түсіндім)\b[^.?!]{0,40})[.!:…]?\s*$",
    re.IGNORECASE,
)


def recognise_chat(messages: Sequence[tuple[str, str]]) -> Recognised | None:
    """Find the multiple-choice question that the last user message of a conversation asks.

    Earlier turns may be examples (questions with their answers, which show the form of an answer) or unrelated talk; a system prompt
    may fix the form. A last message of the assistant counts when it only begins the answer, as in `Answer:`.

    Args:
        messages: pairs of role and text, in order; the roles are `system`, `developer`, `user` and `assistant`, and with any other
            role the conversation is not recognised.

    Returns:
        The question with its options, or None if the conversation does not clearly ask one multiple-choice question.
    """
    found = examine_chat(messages)
    return found if isinstance(found, Recognised) else None


def examine_chat(messages: Sequence[tuple[str, str]]) -> Recognised | Refusal:
    """`recognise_chat`, with the reason where nothing is found."""
    turns = [(role, text) for role, text in messages if role not in _SYSTEM]
    begun = len(turns) > 1 and turns[-1][0] == "assistant" and CUE.fullmatch(turns[-1][1]) is not None
    if begun:
        turns = turns[:-1]
    if not turns or turns[-1][0] != "user" or len(turns) > _MOST_TURNS or any(role not in {"user", "assistant"} for role, _ in turns):
        return Refusal.CONVERSATION
    system = "\n".join(text for role, text in messages if role in _SYSTEM)
    if len(system) > MAX_INSTRUCTIONS or sum(len(text) for _, text in messages) > MAX_CHAT_CHARS:
        return Refusal.TOO_LONG
    found = read(turns[-1][1])
    if isinstance(found, Refusal):
        return found
    return _in_context(found, system, turns[:-1], begun=begun)


def _in_context(found: Found, system: str, before: Sequence[tuple[str, str]], *, begun: bool) -> Recognised | Refusal:
    """Decide on a question together with the system prompt and the turns in front of it."""
    if not _about_questions(system):
        return Refusal.SYSTEM_PROMPT
    earlier = _earlier(before)
    if earlier is None:
        return Refusal.EARLIER_TURNS
    said, example = "\n".join(part for part in (system, earlier.instructions) if part), earlier.example
    if before and before[-1][0] == "assistant" and _WAITS.search(before[-1][1][-200:]) and not speaks_of_choice(said):
        return Refusal.EARLIER_TURNS
    if found.doubt is not None and not (begun or example or speaks_of_choice(said)):
        return found.doubt
    return replace(found, waits=found.waits or begun, example=example or found.example).recognised(said)


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What the turns before the last message say: instructions, and the form of the last example's answer."""

    instructions: str
    example: Asked | None


def _earlier(turns: Sequence[tuple[str, str]]) -> _Earlier | None:
    """Read the earlier turns, or None if they set another task or answer a question with something else than one option."""
    said: list[str] = []
    example: Asked | None = None
    for index, (role, text) in enumerate(turns):
        if role != "user":
            continue
        question = read(text)
        if isinstance(question, Refusal):
            if other_tasks.is_task(text[:_MOST_READ]) or other_tasks.wants_several(text[:_MOST_READ]):
                return None
            said += [text] if _instructions_only(text) else []
        elif index + 1 < len(turns) and turns[index + 1][0] == "assistant":
            example = _form(question, turns[index + 1][1])
            if example is None:
                return None
    return _Earlier("\n".join(said), example)


def _form(earlier: Found, reply: str) -> Asked | None:
    """The form of the answer to an earlier question, or None if the reply is something else than an answer."""
    if _OWN.fullmatch(reply):
        return OPEN
    return form_of_reply(reply, earlier.labels, earlier.question.options)


def _instructions_only(text: str) -> bool:
    pieces = [piece for line in text[:_MOST_READ].split("\n") for piece in sentences(line)]
    return bool(pieces) and all(instructs(piece) or persona(piece) for piece in pieces)


def _about_questions(system: str) -> bool:
    """Whether an answer to a multiple-choice question is what a system prompt wants: it speaks of one, or sets no other task."""
    if other_tasks.is_task(system) or other_tasks.wants_several(system):
        return False
    pieces = [piece for line in system.split("\n") for piece in sentences(line)]
    if any(_ROLE_TASK.match(piece) for piece in pieces):
        return False
    if not system.strip() or speaks_of_choice(system):
        return True
    return all(instructs(piece) or _NEUTRAL.search(piece) for piece in pieces)
