"""A tokenizer's chat template, made fit for verdicts: it renders the same text every day, however it treats a system turn.

Templates differ in what they take. Which form a template takes is found once, with a probe, so that a model cannot be served with a
prompt that lacks its rules or its question.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from app.core.errors import ConfigError, EdgeError, first_line
from app.core.prompt import PromptFamily, chat_messages, system_prompt, user_prompt
from app.core.question import Question

# It holds what a template may escape, replace or cut off.
_PROBE = Question('Is 2 + 2 < 5 & it\'s "é"?\n\n' + "A long passage. " * 250 + "\n- one\n- two", ("x < y", "a & b", "3"))
# The date that Llama 3's own template falls back to. A prompt with today's date would change every verdict at midnight.
_PINNED = datetime(2024, 7, 26)  # noqa: DTZ001  # templates format local time
_DIRECTIVES = ("-d", "-m", "-I", "-H", "-M", "-S", "-y", "-j", "e", *"aAwdbBmyYHIpMSfzZjUWcxXGuVDFTRhCnt")
# A turn of the assistant that begins with an opened thought, as templates of models that always think write it.
_OPEN_THOUGHT = re.compile(r"<(\w*think\w*|thought|reasoning)>\s*\Z")


class _Form(NamedTuple):
    """How the messages are handed to a template."""

    # The system text stands at the head of the user turn, as Gemma's own template has it.
    folded: bool
    # The content of a message is a list of parts, as templates of models with pictures want it.
    parts: bool


# In the order in which they are tried.
_FORMS = (_Form(False, False), _Form(True, False), _Form(False, True), _Form(True, True))


class ChatTemplate:
    """Renders a question with the model's own chat template.

    Args:
        tokenizer: a Hugging Face tokenizer.
        family: wording of the system prompt.

    Raises:
        ConfigError: there is no chat template, or it renders none of the known forms of a conversation completely.
    """

    def __init__(self, tokenizer: Any, family: PromptFamily) -> None:
        self._tokenizer = tokenizer
        self._family = family
        self._pinned = _pinned(tokenizer)
        self._form = self._find_form()

    def messages(self, question: Question, control_tokens: Iterable[str] = ()) -> list[dict[str, Any]]:
        """The conversation in the form that this template takes, control tokens in the question neutralised."""
        return self._messages(question, control_tokens, self._form)

    def render(self, question: Question, control_tokens: Iterable[str] = ()) -> str:
        """The chat prompt as text, up to where the model begins to write its answer.

        Raises:
            EdgeError: the template refuses this question or leaves out a part of it, so that the model would answer another question.
        """
        messages = self.messages(question, control_tokens)
        try:
            text = self._render(messages)
        # A template may quote the question in what it raises.
        except Exception as error:  # noqa: BLE001
            raise EdgeError(f"the model's chat template refuses this question ({type(error).__name__})") from None
        content = messages[-1]["content"]
        # Many templates take off the blanks around a turn.
        if (content[0]["text"] if self._form.parts else content).strip() not in text:
            raise EdgeError("the model's chat template leaves out or changes a part of this question")
        return text

    def _messages(self, question: Question, control_tokens: Iterable[str], form: _Form) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = [*chat_messages(question, self._family, control_tokens)]
        if form.folded:
            system, user = messages
            messages = [{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}]
        if form.parts:
            messages = [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in messages]
        return messages

    def _render(self, messages: list[dict[str, Any]]) -> str:
        text: str = self._tokenizer.apply_chat_template(
            messages, chat_template=self._pinned, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        if opened := _OPEN_THOUGHT.search(text):
            # Closed at once, as Qwen3's template does where thinking is off: the verdict is read behind it.
            return f"{text[: opened.start()]}<{opened[1]}>\n\n</{opened[1]}>\n\n"
        return text

    def _find_form(self) -> _Form:
        wanted = (system_prompt(self._family), user_prompt(_PROBE))
        reasons: list[str] = []
        for form in _FORMS:
            try:
                text = self._render(self._messages(_PROBE, (), form))
            # Templates are programs written by others: any error may come out of one.
            except Exception as error:  # noqa: BLE001
                reasons.append(first_line(error))
                continue
            if all(part in text for part in wanted) and text.index(wanted[0]) < text.index(wanted[1]):
                return form
            reasons.append("the rules or the question are missing in what it renders")
        # The second form is the one that asks least of a template.
        raise ConfigError(f"the tokenizer's chat template cannot render a question ({reasons[1]}); this model cannot be used")


def _pinned(tokenizer: Any) -> str:
    """The template with a fixed date in the place of today's. Raises ConfigError where there is none."""
    if not tokenizer.chat_template:
        raise ConfigError("the tokenizer has no chat template; this model cannot be used")
    try:
        template = str(tokenizer.get_chat_template())
    except Exception as error:
        raise ConfigError(f"the tokenizer's chat template cannot be used ({first_line(error)})") from error
    if "strftime_now" not in template:
        return template
    # transformers lets a template see plain data and its own functions only, so the function is one of the template itself.
    # `%%` stands aside meanwhile, so that `%%d` does not become a day.
    steps = [("%%", "\0"), *(("%" + code, _PINNED.strftime("%" + code)) for code in _DIRECTIVES), ("\0", "%")]
    fixed = "".join(f" | replace({was!r}, {becomes!r})" for was, becomes in steps)
    # Behind a block's end a template's first line break is dropped, and this one is; the template itself begins on a new line.
    return "{% macro strftime_now(format) %}{{ format" + fixed + " }}{% endmacro %}\n" + template
